"""Prints the packets of a file or URL as JSON lines, read by PyAV (FFmpeg 8).

    packets.py FILE-OR-URL [option=value ...]

Only the first video and the first audio stream: what an RTMP player gets. Times in milliseconds.
"""
import hashlib
import json
import sys

import av


def milliseconds(value, base):
    return None if value is None else float(value * base * 1000)


def main():
    options = dict(option.split("=", 1) for option in sys.argv[2:])
    with av.open(sys.argv[1], options=options) as container:
        streams = [kind[0] for kind in (container.streams.video, container.streams.audio) if kind]
        for packet in container.demux(streams):
            if packet.size == 0:
                continue
            data = bytes(packet)
            print(json.dumps({
                "kind": packet.stream.type,
                "codec": packet.stream.codec_context.name,
                "pts": milliseconds(packet.pts, packet.time_base),
                "dts": milliseconds(packet.dts, packet.time_base),
                "size": len(data),
                "hash": hashlib.sha256(data).hexdigest(),
                "key": packet.is_keyframe,
            }))


main()
