#!/bin/sh
# Makes the media of `make bench` in target/bench-media, once: again only when this script changed.
# Rates are held (CBR by padding), so that "0.58 Mbit/s" is what each second takes. A long file is
# a short one repeated: nothing here looks at the pictures.
set -eu
cd "$(dirname "$0")/.."
out=target/bench-media
mkdir -p target
exec 9>"$out.lock"
flock 9
mark=$(cksum <benches/media.sh)
if [ -f "$out/.made" ] && [ "$(cat "$out/.made")" = "$mark" ]; then exit 0; fi

rm -rf "$out"
mkdir -p "$out"
cd "$out"
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
# encode SIZE SECONDS VIDEO_RATE(k) AUDIO_RATE(k) FILE: H.264 with a key frame every 2 s, and AAC.
encode() {
    ff -f lavfi -i "testsrc2=size=$1:rate=25:duration=$2,noise=all_seed=5:alls=12:allf=t" \
        -f lavfi -i "sine=frequency=300:beep_factor=3:sample_rate=44100:duration=$2" \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 \
        -b:v "$3k" -minrate "$3k" -maxrate "$3k" -bufsize "$3k" -nal-hrd cbr \
        -c:a aac -b:a "$4k" -movflags +faststart "$5"
}
echo "making the media of the benchmark (once)"
encode 480x270 180 512 64 thin.mp4
encode 1280x720 60 3900 96 fat.mp4
ff -stream_loop 19 -i thin.mp4 -c copy -movflags +faststart hour.mp4
ff -i thin.mp4 -t 60 -c copy -movflags +faststart first.mp4
ff -i first.mp4 -c copy last.mp4
ff -i first.mp4 -c copy -flvflags add_keyframe_index tags.flv
echo "$mark" >.made
