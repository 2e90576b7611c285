#!/usr/bin/env python3
"""Writes benches/RESULTS.md and benches/plots/ from what benches/side_by_side measured.

Each figure stands beside its goal (issue 3) and whether it was reached. What stands between the two
marks in RESULTS.md is written by hand and kept. After a run with QUICK=1 everything goes to
target/bench: a few seconds a row are a check of the benchmark, not results.
"""

import json
import os
import pathlib
import sys

import micro_table
import plot

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- by hand: begin -->", "<!-- by hand: end -->"
BLANK = "\n## What was tried and lost\n\nNothing yet.\n"

OURS, RTMP, SENDFILE = "streamfront", "nginx-rtmp", "nginx sendfile"
# What a paced viewer may have read ahead at most, MB beyond index and what was watched: the rest of a
# segment, the one after it (delivery/ahead/window.rs), and what the first read of an object brings.
READ_AHEAD = 1.2


def fixed(value, unit=""):
    """A number as people read it."""
    digits = 0 if abs(value) >= 1_000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}{unit}"


class Goals:
    """The table of goals, row by row."""

    def __init__(self):
        self.lines = ["| what | measured | goal | reached |", "|---|---|---|---|"]

    def add(self, what, measured, goal, reached):
        """One row."""
        self.lines.append(f"| {what} | {measured} | {goal} | {'yes' if reached else '**no**'} |")

    def most(self, what, value, limit, shown="{}", unit=""):
        """A row whose figure must not be above its goal."""
        measured = shown.format(fixed(value, unit))
        self.add(what, measured, f"at most {fixed(limit, unit)}", value <= limit)


def against(goals, what, ours, peer, limit):
    """A ratio of two figures."""
    ratio = ours["value"] / peer["value"]
    shown = f"{{}} ({fixed(ours['value'])} / {fixed(peer['value'])})"
    goals.most(what, ratio, limit, shown)


def goals_of(results):
    """The table of issue 3, as far as it was measured."""
    goals = Goals()
    if row := results.get("unpaced"):
        what = "CPU-s/GB, 50 unpaced players, warm: ours / "
        against(goals, what + RTMP, row[OURS], row[RTMP], 0.15)
        against(goals, what + SENDFILE, row[OURS], row[SENDFILE], 1.0)
    for rate, limit in (("0.6 Mbit/s", 0.15), ("4 Mbit/s", 0.25)):
        if row := results.get("paced", {}).get(rate):
            what = f"CPU-s/GB, {row['players']} players paced at {rate}: ours / {RTMP}"
            against(goals, what, row[OURS], row[RTMP], limit)
    _growth_goals(goals, results.get("growth", {}).get(OURS, {}))
    if row := results.get("cold"):
        what = f"{row['players']:,} cold viewers at once: origin bytes / object"
        shown = f"{{}} in {row['requests']} requests, {row['failed']} failed"
        goals.most(what, row["value"], 1.05, shown)
    if row := results.get("first_warm"):
        ours, asking, peer = row["streamfront, names believed"], row[OURS], row[RTMP]
        what = f"first media byte, warm, {ours['players']:,} paced players running, median"
        shown = (
            f"{{}} with a time to live (p99 {fixed(ours['p99'])}); asking the origin at each play"
            f" {fixed(asking['value'])}; {RTMP} {fixed(peer['value'])}, p99 {fixed(peer['p99'])}"
        )
        goals.most(what, ours["value"], 2, shown, " ms")
    for name, kind, limit in (
        ("first.mp4", "moov first", 2.2), ("tags.flv", "FLV", 2.2), ("last.mp4", "moov last", 3.2),
    ):
        if row := results.get("first_cold", {}).get(name):
            what = f"first media byte, cold, origin at 50 ms, {kind}"
            shown = f"{{}} of {fixed(row['ms'])} ms, {row['requests']:.0f} requests till it ended"
            goals.most(what, row["value"], limit, shown, " round trips")
    if row := results.get("seek_cold"):
        shown = f"{{}} of {fixed(row['ms'])} ms (p99 {fixed(row['p99'])}; {row['seeks']} seeks)"
        goals.most("seek to a cold place, same origin, median", row["value"], 1.2, shown, " round trips")
    if row := results.get("minute"):
        what = f"origin bytes of an hour-long object watched for {row['seconds']} s, beyond index and media"
        shown = f"{{}} ({fixed(row['read'])} read, index {fixed(row['index'])}, watched {fixed(row['watched'])})"
        goals.most(what, row["value"], READ_AHEAD, shown, " MB")
    return goals.lines


def _growth_goals(goals, growth):
    if many := growth.get("10000"):
        shown = f"{{}}, {many['underruns']} underruns, {many['failed']} failed"
        what = "10,000 players paced at 0.6 Mbit/s: of one core"
        goals.add(what, shown.format(fixed(many["core"])), "at most 0.5, no underrun",
                  many["core"] <= 0.5 and not many["underruns"] and not many["failed"])
        if few := growth.get("100"):
            ratio = (many["core"] / 10_000) / (few["core"] / 100) if few["core"] else 0
            goals.most("CPU a player, 10,000 against 100", ratio, 1.0)
    for count in ("1000", "10000"):
        if row := growth.get(count):
            what = f"memory a paced connection, of {int(count):,}"
            goals.most(what, row["memory"] / 1024, 8, "{}", " KiB")


def peers_table(results):
    """The CPU rows in full."""
    lines = ["| | CPU-s/GB | runs | Gbit/s |", "|---|---|---|---|"]
    rows = {f"unpaced, 50: {name}": row for name, row in results.get("unpaced", {}).items()}
    for rate, servers in results.get("paced", {}).items():
        for name in (OURS, RTMP):
            rows[f"{rate}, {servers['players']} paced: {name}"] = servers[name]
    for name, row in rows.items():
        runs = ", ".join(fixed(run) for run in row["runs"])
        lines.append(f"| {name} | {fixed(row['value'])} | {runs} | {fixed(row['gbit'])} |")
    return lines


def growth_table(results):
    """How cost grows with players at 0.6 Mbit/s."""
    lines = [
        "| players | server | of one core | CPU-s/GB | Gbit/s | KiB a player | first byte, ms | underruns | failed | client, of one core |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for server, rows in results.get("growth", {}).items():
        for count, row in rows.items():
            cells = [fixed(row[key]) for key in ("core", "value", "gbit")]
            # Below a hundred players what they take is less than what a server takes by chance.
            memory = fixed(row["memory"] / 1024) if int(count) >= 100 else ""
            cells += [memory, fixed(row["first_ms"])]
            cells += [str(row["underruns"]), str(row["failed"]), fixed(row["client_core"])]
            lines.append(f"| {int(count):,} | {server} | {' | '.join(cells)} |")
    return lines


def transports_table(results):
    """What each way to a viewer costs beside plain RTMP."""
    row = results.get("transports")
    if not row:
        return []
    lines = [
        "## By each way to a viewer",
        "",
        f"{row['players']} rtmpdumps at once take an hour of 0.58 Mbit/s as fast as they can, from memory,",
        "the ways in turns. rtmpdump deciphers and asks again on the same cores, which says how fast it",
        "goes; its CPU is not counted. The ratio is the median of those to plain RTMP of the same turn.",
        "",
        "| way | CPU-s/GB | beside rtmp | ratios | Gbit/s |",
        "|---|---|---|---|---|",
    ]
    for scheme, way in row["ways"].items():
        ratios = ", ".join(fixed(ratio) for ratio in way["ratios"])
        cells = [fixed(way["value"]), fixed(way["ratio"]), ratios, fixed(way["gbit"])]
        lines.append(f"| {scheme} | {' | '.join(cells)} |")
    return [*lines, ""]


def plots_of(results):
    """File name -> SVG."""
    plots = {}
    if growth := results.get("growth"):

        def of(key, scale=1):
            return {
                server: {int(count): row[key] * scale for count, row in rows.items()}
                for server, rows in growth.items()
            }

        across = "players paced at 0.6 Mbit/s"
        plots["growth-cpu.svg"] = plot.curves(
            "What a number of players costs", across, "of one core", of("core"), ("half a core", 0.5)
        )
    if unpaced := results.get("unpaced"):
        values = {name: row["value"] for name, row in unpaced.items()}
        plots["cpu-unpaced.svg"] = plot.bars("CPU seconds for each GB, 50 unpaced players", values)
    return plots


def by_hand(path):
    """What a person wrote into the last results."""
    text = path.read_text() if path.exists() else ""
    _, begin, rest = text.partition(BEGIN)
    kept, end, _ = rest.partition(END)
    return kept if begin and end else BLANK


def page(results, kept, plots):
    """RESULTS.md."""
    at = results["machine"]
    lines = [
        "# Results",
        "",
        "Made by `make bench` (benches/report.py); only the part between the marks is written by hand.",
        "Ratios hold on other machines, absolute figures do not. Server, players, peers and origin share",
        "the cores; the players are `streamfront bench` for both servers that speak RTMP, wrk for nginx",
        "over HTTP. CPU is the server's process, user and system; GB is 10^9 bytes that players took.",
        "",
        f"{at['cpu']}, {at['cores']} cores, {at['memory_gib']} GiB; {at['system']}, kernel {at['kernel']}.",
        f"{at['date']}, commit {at['commit']}. nginx {at['nginx']} (one worker), nginx-rtmp"
        f" {at['rtmp_module']}, iperf3 {at['iperf3']}." + (" A quick run: not results." if at["quick"] else ""),
        "",
        "## Goals",
        "",
        *goals_of(results),
        "",
        "## CPU beside the peers",
        "",
        *peers_table(results),
        "",
        "## How cost grows",
        "",
        *growth_table(results),
        "",
        *transports_table(results),
        *(f"![{name}](plots/{name})" for name in plots),
    ]
    if parts := micro_table.read(ROOT / "target" / "criterion"):
        lines += ["", "## Parts", "", "`make micro`; below 1, ours is quicker.", "", micro_table.table(parts)]
    return "\n".join(lines) + f"\n\n{BEGIN}{kept}{END}\n"


def main():
    """Writes them, and prints the goals."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    source = ROOT / "target" / "bench" / ("quick.json" if quick else "results.json")
    if not source.exists():
        sys.exit(f"{source} is not there: run benches/side_by_side.sh")
    results = json.loads(source.read_text())
    folder = ROOT / "target" / "bench" if quick else ROOT / "benches"
    plots = plots_of(results)
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    for name, svg in plots.items():
        (folder / "plots" / name).write_text(svg)
    kept = by_hand(ROOT / "benches" / "RESULTS.md")
    (folder / "RESULTS.md").write_text(page(results, kept, plots))
    print("\n".join(goals_of(results)))
    print(f"\n{(folder / 'RESULTS.md').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
