"""Rewrites an MP4 so that all chunks of one track stand before those of the next.

    reinterleave.py [--wide] IN OUT

The samples, their times and their order within a track stay as they are; only where they are in the
file changes: the worst interleaving a player can meet. With --wide the order stays too, but offsets
become 64-bit (co64 boxes) and the mdat box gets a 64-bit size.
"""
import struct
import sys

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


def boxes(data):
    """(type, body) of each box in data."""
    at, found = 0, []
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", data[at + 8:at + 16])[0], 16
        elif size == 0:
            size = len(data) - at
        found.append((kind, data[at + head:at + size]))
        at += size
    return found


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def child(data, *path):
    for kind in path:
        data = next(body for name, body in boxes(data) if name == kind)
    return data


def chunks(stbl):
    """(offset, length) of each chunk of a track."""
    stsz = child(stbl, b"stsz")
    fixed, count = struct.unpack(">II", stsz[4:12])
    sizes = [fixed] * count if fixed else list(struct.unpack(f">{count}I", stsz[12:12 + 4 * count]))
    stco = child(stbl, b"stco")
    number = struct.unpack(">I", stco[4:8])[0]
    offsets = struct.unpack(f">{number}I", stco[8:8 + 4 * number])
    stsc = child(stbl, b"stsc")
    runs = [struct.unpack(">III", stsc[8 + 12 * i:20 + 12 * i]) for i in range(struct.unpack(">I", stsc[4:8])[0])]
    found, sample = [], 0
    for index, offset in enumerate(offsets):
        samples = [run for run in runs if run[0] <= index + 1][-1][1]
        found.append((offset, sum(sizes[sample:sample + samples])))
        sample += samples
    return found


def rebuild(data, offsets, wide):
    """data with the chunk offsets of its tracks replaced, in the order of the tracks."""
    out = b""
    for kind, body in boxes(data):
        if kind in CONTAINERS:
            body = rebuild(body, offsets, wide)
        elif kind == b"stco":
            new = offsets.pop(0)
            kind = b"co64" if wide else b"stco"
            body = struct.pack(">II", 0, len(new)) + b"".join(
                struct.pack(">Q" if wide else ">I", offset) for offset in new)
        out += box(kind, body)
    return out


def main():
    wide = "--wide" in sys.argv
    source, target = sys.argv[-2:]
    data = open(source, "rb").read()
    moov, ftyp = child(data, b"moov"), child(data, b"ftyp")
    tracks = [chunks(child(body, b"mdia", b"minf", b"stbl")) for kind, body in boxes(moov) if kind == b"trak"]
    order = [(track, number) for track in range(len(tracks)) for number in range(len(tracks[track]))]
    if wide:
        order.sort(key=lambda place: tracks[place[0]][place[1]][0])
    head = len(box(b"ftyp", ftyp)) + 8 + len(rebuild(moov, [[0] * len(t) for t in tracks], wide)) + (16 if wide else 8)
    new, mdat = [[0] * len(track) for track in tracks], b""
    for track, number in order:
        offset, length = tracks[track][number]
        new[track][number] = head + len(mdat)
        mdat += data[offset:offset + length]
    size = struct.pack(">I4sQ", 1, b"mdat", len(mdat) + 16) if wide else struct.pack(">I4s", len(mdat) + 8, b"mdat")
    open(target, "wb").write(box(b"ftyp", ftyp) + box(b"moov", rebuild(moov, new, wide)) + size + mdat)


main()
