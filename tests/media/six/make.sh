#!/bin/sh
# The commands that made the six files beside this script (ffmpeg 5.1). They are committed, and so
# are the message tables expected of them, which were worked out from ffprobe's packet tables by the
# rules of delivery 7 and 8, before the server that must meet them was there.
set -eu
cd "$(dirname "$0")"
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
video="testsrc2=size=96x64:rate=25:duration"
sound="sine=frequency=300:beep_factor=3:sample_rate=44100:duration"
x264="-c:v libx264 -threads 1 -crf 34 -g 25 -pix_fmt yuv420p -flags:v +bitexact"
aac="-c:a aac -b:a 32k -flags:a +bitexact"
# shellcheck disable=SC2086
{
ff -f lavfi -i "$video=2" -f lavfi -i "$sound=2" $x264 $aac -movflags +faststart plain.mp4
ff -f lavfi -i "$video=3" -f lavfi -i "$sound=3" $x264 -bf 0 $aac "$source/long.mp4"
ff -ss 0.7 -i "$source/long.mp4" -t 2 -c copy -movflags +faststart cut.mp4
ff -f lavfi -i "$video=2" -f lavfi -i "$sound=2" $x264 -bf 0 $aac -movflags +frag_keyframe+empty_moov fragmented.mp4
ff -f lavfi -i "$video=2" -f lavfi -i "$sound=2" $x264 -bf 0 $aac -flvflags no_duration_filesize no_index.flv
ff -f lavfi -i "aevalsrc='0.3*sin(2*PI*t*300)*gt(t\,1)+0.2*random(0)*lt(t\,0.5)':s=44100:d=2" -c:a libmp3lame -q:a 5 \
    -write_xing 0 -id3v2_version 0 -flags:a +bitexact vbr.mp3
python3 ../reinterleave.py plain.mp4 poorly_interleaved.mp4
}
