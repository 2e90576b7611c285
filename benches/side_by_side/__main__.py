"""Runs the rows of benches/RESULTS.md and writes what was measured to target/bench/results.json.

QUICK=1: a few seconds a row. ROWS="unpaced cold": only these; the others keep what an earlier run
wrote, if there is one. SERVER=path and PLAYERS=path name other builds of the server and of the
client, to compare.
"""

import json
import os
import pathlib
import resource
import sys
import tempfile
import time

import machine
import rows
from origin import ROOT, Seaweed
from players import Failed
from processes import stop_all

ALL = {
    "unpaced": rows.unpaced,
    "paced": rows.paced,
    "growth": rows.growth,
    "cold": rows.cold,
    "first_warm": rows.first_warm,
    "first_cold": rows.first_cold,
    "seek_cold": rows.seek_cold,
    "minute": rows.minute,
    "transports": rows.transports,
}


def main():
    """All rows, or those that were asked for."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    names = os.environ.get("ROWS", "").split() or list(ALL)
    unknown = set(names) - set(ALL)
    if unknown:
        sys.exit(f"no such rows: {' '.join(unknown)}; there are {' '.join(ALL)}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    out = ROOT / "target" / "bench" / ("quick.json" if quick else "results.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(out.read_text()) if out.exists() and len(names) < len(ALL) else {}
    results["machine"] = {**machine.describe(ROOT), "quick": quick}
    began = time.monotonic()
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=out.parent) as folder:
        folder = pathlib.Path(folder)
        bench = rows.Bench(folder, seaweed := Seaweed(folder), quick)
        for key in (rows.THIN, rows.FAT, rows.HOUR):
            seaweed.put_file(key, key)
        for name in names:
            started = time.monotonic()
            try:
                results[name] = ALL[name](bench)
            except Failed as why:
                results.pop(name, None)
                failed.append(name)
                print(f"{name}: {why}", file=sys.stderr)
                stop_all(but=seaweed.process)
                continue
            took = time.monotonic() - started
            print(f"{name}: {took:.0f} s  {json.dumps(results[name])}", flush=True)
            out.write_text(json.dumps(results, indent=1) + "\n")
        seaweed.process.stop()
    print(f"all: {time.monotonic() - began:.0f} s; {out.relative_to(ROOT)}")
    if failed:
        sys.exit(f"not measured: {' '.join(failed)}")


if __name__ == "__main__":
    main()
