#!/usr/bin/env python3
"""Prints what `cargo bench --bench micro` measured as a Markdown table.

It reads target/criterion/**/new/{benchmark,estimates}.json and nothing else. One row a piece of
work and peer; the ratio is ours to the peer's, below 1 where ours is quicker.
"""

import json
import pathlib
import sys


def read(folder):
    """Group -> function -> nanoseconds (median)."""
    groups = {}
    for file in sorted(folder.glob("**/new/estimates.json")):
        about = json.loads(file.with_name("benchmark.json").read_text())
        median = json.loads(file.read_text())["median"]["point_estimate"]
        groups.setdefault(about["group_id"], {})[about["function_id"]] = median
    return groups


def shown(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def table(groups):
    lines = ["| work | ours | peer | | ours / peer |", "|---|---|---|---|---|"]
    for name, times in groups.items():
        ours = times.get("ours")
        for peer, time in times.items():
            if peer != "ours" and ours:
                ratio = f"{ours / time:.3g}"
                lines.append(f"| {name} | {shown(ours)} | {peer} | {shown(time)} | {ratio} |")
    return "\n".join(lines)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "target" / "criterion"
    groups = read(folder)
    if not groups:
        sys.exit(f"nothing in {folder}: run `cargo bench --bench micro` first")
    print(table(groups))


if __name__ == "__main__":
    main()
