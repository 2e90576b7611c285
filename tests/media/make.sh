#!/bin/sh
# Generates the media of the tests into target/test-media, once: again only when this script or one
# of the python files beside it has changed. One thread and bitexact flags, so that two runs of one
# ffmpeg give the same bytes. Pictures and tones change all the time, so that no two packets of a
# file are alike and a lost or doubled one cannot hide.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/target/test-media
mkdir -p "$root/target"
exec 9>"$root/target/test-media.lock"
flock 9
mark=$(cat "$here"/make.sh "$here"/*.py | cksum)
if [ -f "$out/.made" ] && [ "$(cat "$out/.made")" = "$mark" ]; then exit 0; fi

rm -rf "$out"
mkdir -p "$out/.work"
cd "$out"
work=.work

ff() { ffmpeg -nostdin -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
# picture SIZE SECONDS, tone SECONDS: lavfi sources with changing content.
picture() { echo "testsrc2=size=$1:rate=25:duration=$2"; }
tone() { echo "sine=frequency=300:beep_factor=3:sample_rate=44100:duration=$1"; }
# The commonest picture and sound.
x264="-c:v libx264 -preset veryfast -threads 1 -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p -b:v 150k -flags:v +bitexact"
aac="-c:a aac -b:a 48k -threads 1 -flags:a +bitexact"
python() { "${PYTHON:-python3}" "$@"; }

# --- The two sources most others are cut from -----------------------------------------------------
# shellcheck disable=SC2086
{
ff -f lavfi -i "$(picture 240x180 8)" -f lavfi -i "$(tone 8)" $x264 -bf 0 $aac -movflags +faststart plain.mp4
ff -f lavfi -i "$(picture 320x240 10)" -f lavfi -i "$(tone 10)" $x264 -bf 3 $aac -movflags +faststart bframes.mp4
}

# --- MP4 and its relatives ------------------------------------------------------------------------
ff -i bframes.mp4 -c copy moov_last.mp4
ff -i bframes.mp4 -c copy -movflags +frag_keyframe+empty_moov fragmented_mfra.mp4
ff -i bframes.mp4 -c copy -movflags +frag_keyframe+empty_moov+default_base_moof+skip_trailer fragmented_bare.mp4
ff -i bframes.mp4 -c copy -movflags +frag_keyframe+empty_moov+default_base_moof+global_sidx+skip_trailer fragmented_sidx.mp4
ff -i bframes.mp4 -c copy -movflags +dash+frag_keyframe+empty_moov+skip_trailer fragmented_dash.mp4
ff -ss 3.3 -i bframes.mp4 -c copy -movflags +faststart edit_list.mp4
ff -i plain.mp4 -itsoffset 0.7 -i plain.mp4 -map 0:v -map 1:a -c copy -movflags +faststart audio_delayed.mp4
ff -i bframes.mp4 -c copy quicktime.mov
ff -i bframes.mp4 -c copy -f mp4 -movflags +faststart apple.m4v
ff -i plain.mp4 -c copy -f f4v flash.f4v
ff -i plain.mp4 -vn -c copy -movflags +faststart song.m4a
printf '1\n00:00:01,000 --> 00:00:03,000\nA subtitle\n\n2\n00:00:04,000 --> 00:00:05,000\nAnother\n' > $work/subtitle.srt
# shellcheck disable=SC2086
ff -i plain.mp4 -f lavfi -i "sine=frequency=900:beep_factor=2:sample_rate=48000:duration=8" -i $work/subtitle.srt \
    -map 0:v -map 0:a -map 1:a -map 2:s -c:v copy -c:a:0 copy -c:a:1 aac -b:a:1 64k -flags:a:1 +bitexact -c:s mov_text \
    -threads 1 -movflags +faststart two_audio.mp4
python "$here/reinterleave.py" bframes.mp4 poorly_interleaved.mp4
python "$here/reinterleave.py" --wide bframes.mp4 wide_offsets.mp4
# A cluster of frames, the first larger than a segment (512 KiB).
# shellcheck disable=SC2086
ff -f lavfi -i "color=gray:size=640x480:rate=5:duration=2,noise=all_seed=7:alls=100:allf=t" -f lavfi -i "$(tone 2)" \
    -c:v libx264 -preset ultrafast -qp 0 -threads 1 -pix_fmt yuv420p -g 10 -frames:v 4 $aac -movflags +faststart huge_frame.mp4
# Several segments: for seeks, and for being replaced while it plays.
# shellcheck disable=SC2086
ff -f lavfi -i "$(picture 480x270 40),noise=all_seed=3:alls=24:allf=t" -f lavfi -i "$(tone 40)" \
    -c:v libx264 -preset ultrafast -threads 1 -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 \
    -b:v 2800k -minrate 2800k -maxrate 2800k -bufsize 1400k -nal-hrd cbr -flags:v +bitexact $aac -movflags +faststart large.mp4

# An hour, of few bytes: for what is read of an object that is not watched to its end.
# shellcheck disable=SC2086
ff -f lavfi -i "testsrc2=size=96x72:rate=5:duration=60" -f lavfi -i "sine=frequency=300:beep_factor=3:sample_rate=16000:duration=60" \
    -c:v libx264 -preset veryfast -threads 1 -g 10 -keyint_min 10 -sc_threshold 0 -pix_fmt yuv420p -b:v 24k -flags:v +bitexact \
    -c:a aac -b:a 16k -threads 1 -flags:a +bitexact $work/minute.mp4
ff -stream_loop 59 -i $work/minute.mp4 -c copy -movflags +faststart hour.mp4
ff -i hour.mp4 -c copy -flvflags add_keyframe_index hour.flv

# --- Codecs ---------------------------------------------------------------------------------------
opus="-c:a libopus -b:a 32k -ar 48000 -strict -2"
# shellcheck disable=SC2086
{
ff -i plain.mp4 -c:v copy $opus -movflags +faststart h264_opus.mp4
ff -f lavfi -i "$(picture 160x120 4)" -f lavfi -i "$(tone 4)" -c:v libx265 -preset ultrafast -g 25 -bf 2 \
    -x265-params "log-level=none:pools=none:frame-threads=1:no-info=1" -tag:v hvc1 $aac -movflags +faststart hevc_aac.mp4
ff -f lavfi -i "$(picture 160x120 3)" -f lavfi -i "$(tone 3)" -c:v libaom-av1 -cpu-used 8 -b:v 100k -g 25 -threads 1 \
    -row-mt 0 -lag-in-frames 0 $opus -movflags +faststart av1_opus.mp4
ff -f lavfi -i "$(picture 160x120 4)" -f lavfi -i "$(tone 4)" -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 100k \
    -g 25 -threads 1 $opus -movflags +faststart vp9_opus.mp4
ff -i plain.mp4 -t 4 -c:v copy -c:a flac -strict -2 -flags:a +bitexact -movflags +faststart h264_flac.mp4
ff -i plain.mp4 -t 4 -c:v copy -c:a ac3 -b:a 96k -flags:a +bitexact -movflags +faststart h264_ac3.mp4
ff -i plain.mp4 -t 4 -c:v copy -c:a eac3 -b:a 96k -flags:a +bitexact -movflags +faststart h264_eac3.mp4
ff -i plain.mp4 -c:v copy -c:a libmp3lame -b:a 64k -flags:a +bitexact -movflags +faststart h264_mp3.mp4
}

# --- FLV ------------------------------------------------------------------------------------------
ff -i bframes.mp4 -c copy -flvflags no_duration_filesize no_index.flv
ff -i bframes.mp4 -c copy -flvflags add_keyframe_index index.flv
ff -f lavfi -i "$(picture 240x180 6)" -f lavfi -i "$(tone 6)" -c:v flv -b:v 200k -g 25 -threads 1 -flags:v +bitexact \
    -c:a libmp3lame -b:a 64k -ar 44100 -flags:a +bitexact sorenson_mp3.flv
ff -f lavfi -i "$(picture 160x120 5)" -f lavfi -i "$(tone 5)" -c:v flv -b:v 100k -g 25 -threads 1 -flags:v +bitexact \
    -c:a libspeex -ar 16000 -ac 1 speex.flv
ff -f lavfi -i "$(picture 160x120 5)" -f lavfi -i "$(tone 5)" -c:v flv -b:v 100k -g 25 -threads 1 -flags:v +bitexact \
    -c:a nellymoser -ar 22050 -ac 1 -flags:a +bitexact nellymoser.flv
ff -i plain.mp4 -vn -c copy audio_only.flv
ff -i plain.mp4 -c copy -output_ts_offset 16773 past_2_24.flv
# Its 8 s cross 2^32 ms after 4 s; the same packets as at_zero.flv, which does not.
ff -i plain.mp4 -c copy at_zero.flv
python "$here/shift_flv.py" at_zero.flv past_2_32.flv $(( (1 << 32) - 4000 ))
ff -i large.mp4 -c copy large_no_index.flv

# --- MP3 ------------------------------------------------------------------------------------------
mp3="-c:a libmp3lame -flags:a +bitexact"
music="aevalsrc='0.3*sin(2*PI*t*(200+40*floor(mod(t*5\,9))))*mod(t\,2)+0.1*random(0)*floor(mod(t\,3)/2)':s=44100:d=20"
# shellcheck disable=SC2086
{
ff -f lavfi -i "$(tone 12)" $mp3 -b:a 64k -write_xing 0 -id3v2_version 0 cbr_bare.mp3
ff -f lavfi -i "$(tone 12)" $mp3 -b:a 64k -write_xing 0 -id3v2_version 3 -write_id3v1 1 -metadata title="A title" -metadata artist="Nobody" cbr_id3.mp3
ff -f lavfi -i "$music" $mp3 -q:a 4 -id3v2_version 0 vbr_xing.mp3
ff -f lavfi -i "$music" $mp3 -q:a 4 -write_xing 0 -id3v2_version 0 vbr_bare.mp3
ff -f lavfi -i "sine=frequency=300:sample_rate=22050:duration=12" $mp3 -b:a 32k -ac 1 -ar 22050 mpeg2_mono.mp3
}

rm -rf "$work"
echo "$mark" > .made
