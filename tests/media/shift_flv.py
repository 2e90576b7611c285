"""Adds a number of milliseconds to every timestamp of an FLV file, modulo 2^32.

    shift_flv.py IN OUT MILLISECONDS

ffmpeg cannot write FLV timestamps that cross 2^32 ms; a recorder that runs for 50 days does.
"""
import sys


def main():
    source, target, shift = sys.argv[1], sys.argv[2], int(sys.argv[3])
    data = bytearray(open(source, "rb").read())
    at = int.from_bytes(data[5:9], "big") + 4
    while at < len(data):
        size = int.from_bytes(data[at + 1:at + 4], "big")
        time = int.from_bytes(data[at + 4:at + 7], "big") | data[at + 7] << 24
        if data[at] in (8, 9):  # the script tag stays where it is: players read it first
            time = (time + shift) % (1 << 32)
        data[at + 4:at + 7] = (time & 0xFFFFFF).to_bytes(3, "big")
        data[at + 7] = time >> 24
        at += 11 + size + 4
    open(target, "wb").write(data)


main()
