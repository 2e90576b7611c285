"""A soak: the release binary under a crowd of mixed players, for as long as one likes, and whether it
takes more at the end than in the beginning.

The server reads from a SeaweedFS, with a cache in memory that is smaller than what is played, so
that eviction never stops, and a disk tier. `streamfront bench` plays: paced, several names by Zipf's
law, from places spread over the streams, with seeks and pauses, again and again. Every ten seconds
the server's memory, descriptors and live segments go to target/soak/samples.csv. The samples after
the players have come are cut into thirds; the run fails where the last third is above the first by
more than the tolerances below, where a player failed, or where the server complained.

SOAK_SECONDS (1800) and SOAK_PLAYERS (1000) say how long and how many.
"""

import csv
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches" / "side_by_side"))

from origin import BUCKET, KEYS, Seaweed  # noqa: E402
from processes import Process, free_port, wait_for_port  # noqa: E402

BINARY = pathlib.Path(os.environ.get("SERVER", ROOT / "target" / "release" / "streamfront"))
OUT = ROOT / "target" / "soak"
MEDIA = ROOT / "target" / "test-media"

# What is played, the most popular first: indexed files, one that is walked, long and short, thin
# and fat. Together twice the memory of the cache and more than its disk.
STREAMS = {
    "mp4:hour.mp4": "hour.mp4",
    "mp4:large.mp4": "large.mp4",
    "hour": "hour.flv",
    "mp4:again.mp4": "large.mp4",
    "large_no_index": "large_no_index.flv",
    "mp4:bframes.mp4": "bframes.mp4",
    "mp4:once_more.mp4": "hour.mp4",
    "mp3:vbr_bare": "vbr_bare.mp3",
}
MEMORY = "48MiB"
DISK = "64MiB"
READ_AHEAD = "8MiB"

STEP = 10  # seconds between samples; less where the run is short
SETTLE = 10  # seconds after the last player came
SPEED = 50  # players that come in a second

# How far the median of the last third may be above that of the first. Memory: what is being rendered
# and what some twenty arenas of the allocator keep go up and down by a tenth with the load of the
# machine; in half an hour a leak of 1 KiB for each play is more. Descriptors: segments that are held
# by whoever plays just now come and go.
TOLERANCE = {
    "rss": lambda first: first * 0.10 + (16 << 20),
    "rss_anon": lambda first: first * 0.10 + (16 << 20),
    "descriptors": lambda first: first * 0.02 + 64,
    "live": lambda first: first * 0.10 + (8 << 20),
}
UNITS = {"rss": 1 << 20, "rss_anon": 1 << 20, "live": 1 << 20, "descriptors": 1}
NAMES = {
    "rss": "RSS, MiB",
    "rss_anon": "RssAnon, MiB",
    "descriptors": "descriptors",
    "live": "live segments, MiB",
}


def number(name, default):
    """A positive number from the environment."""
    text = os.environ.get(name, "")
    if text and not (text.isdecimal() and int(text) > 0):
        sys.exit(f"{name} is to be a positive number, not {text!r}")
    return int(text or default)


class Server:
    """The server under test."""

    def __init__(self, folder, seaweed):
        self.rtmp, self.api = free_port(), free_port()
        (folder / "streamfront.toml").write_text(
            f'[cache]\nmemory = "{MEMORY}"\nread_ahead = "{READ_AHEAD}"\ndisk = "{DISK}"\n'
            f'disk_dir = "{folder}/cache"\n[log]\nlevel = "warn"\n'
        )
        self.process = Process(
            "streamfront",
            [
                BINARY,
                "serve",
                "--bucket",
                f"s3://{BUCKET}",
                "--config",
                folder / "streamfront.toml",
                "--data-dir",
                folder / "data",
                f"--rtmp=127.0.0.1:{self.rtmp}",
                f"--http=127.0.0.1:{free_port()}",
                f"--api=127.0.0.1:{self.api}",
            ],
            OUT / "server.log",
            {
                **KEYS,
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{seaweed.port}",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": str(folder / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
            },
        )
        wait_for_port(self.api, self.process)
        wait_for_port(self.rtmp, self.process)

    def metrics(self):
        """All samples by name."""
        url = f"http://127.0.0.1:{self.api}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def sample(self, at):
        """What it takes now, bytes."""
        pid = self.process.child.pid
        with open(f"/proc/{pid}/status") as status:
            rows = dict(line.split(":", 1) for line in status)
        metrics = self.metrics()
        return {
            "seconds": round(at),
            "players": int(metrics["streamfront_connections_open"]),
            "rss": int(rows["VmRSS"].split()[0]) * 1024,
            "rss_anon": int(rows["RssAnon"].split()[0]) * 1024,
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "live": int(metrics["streamfront_segment_live_bytes"]),
            # Not judged; they tell where memory went.
            "cached": int(metrics["streamfront_cache_bytes"]),
            "indexes": int(metrics["streamfront_index_bytes"]),
            "read_ahead": int(metrics["streamfront_read_ahead_bytes"]),
            "disk_queued": int(metrics["streamfront_disk_queued_bytes"]),
            "renders": int(metrics["streamfront_renders_in_flight"]),
        }


def play(server, players, seconds):
    """Starts the players."""
    first, *others = STREAMS
    return Process(
        "the players",
        [
            BINARY,
            "bench",
            f"rtmp://127.0.0.1:{server.rtmp}/cfx/st/{first}",
            *(f"--name={name}" for name in others),
            f"--players={players}",
            f"--ramp={max(1, players // SPEED)}s",
            f"--duration={seconds}s",
            "--zipf=1",
            "--start=spread",
            "--seek-every=20s",
            "--pause-every=30s",
            "--pause-for=5s",
            "--repeat",
            # A cold place behind a busy origin is not what is looked for here.
            "--timeout=60s",
            "--quiet",
            f"--json={OUT / 'players.json'}",
        ],
        OUT / "players.log",
    )


def watch(server, players, step):
    """Samples until the players have ended; the samples of the time when all were there."""
    began = time.monotonic()
    samples = []
    with open(OUT / "samples.csv", "w", newline="") as file:
        while players.child.poll() is None:
            at = time.monotonic() - began
            if server.process.child.poll() is not None:
                sys.exit(f"the server ended:\n{server.process.said()}")
            samples.append(server.sample(at))
            table = csv.DictWriter(file, samples[-1])
            if len(samples) == 1:
                table.writeheader()
            table.writerow(samples[-1])
            file.flush()
            try:
                players.wait(max(0, began + len(samples) * step - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
    return samples


def judge(samples, ramp, end):
    """Prints the thirds; what grew."""
    # The first segments after the ramp fill the cache and the buffers of the players.
    samples = [it for it in samples if ramp + SETTLE <= it["seconds"] <= end]
    size = len(samples) // 3
    if size < 1:
        return ["too few samples: SOAK_SECONDS is too short"]
    thirds = [samples[:size], samples[size : len(samples) - size], samples[-size:]]
    print(f"{'':22}{'first third':>27}{'second third':>27}{'last third':>27}")
    print(f"{'':22}" + f"{'min':>9}{'median':>9}{'max':>9}" * 3)
    grown = []
    for key, name in NAMES.items():
        cells, medians = [], []
        for third in thirds:
            values = [sample[key] for sample in third]
            medians.append(statistics.median(values))
            cells += [min(values), medians[-1], max(values)]
        print(f"{name:22}" + "".join(f"{cell / UNITS[key]:9.1f}" for cell in cells))
        limit = medians[0] + TOLERANCE[key](medians[0])
        if medians[-1] > limit:
            figures = (medians[-1] / UNITS[key], limit / UNITS[key])
            grown.append("%s: %.1f at the end, at most %.1f allowed" % (name, *figures))
    return grown


def main():
    """Runs the soak."""
    seconds, players = number("SOAK_SECONDS", 1800), number("SOAK_PLAYERS", 1000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=OUT) as folder:
        folder = pathlib.Path(folder)
        seaweed = Seaweed(folder)
        for name, file in STREAMS.items():
            key = file if name.removeprefix("mp4:") == name else name.removeprefix("mp4:")
            seaweed.put(key, (MEDIA / file).read_bytes())
        server = Server(folder, seaweed)
        print(f"{players} players for {seconds} s; samples in {OUT.relative_to(ROOT)}", flush=True)
        crowd = play(server, players, seconds)
        samples = watch(server, crowd, min(STEP, max(1, seconds // 30)))
        metrics = server.metrics()
        server.process.stop()
        seaweed.process.stop()
    ramp = max(1, players // SPEED)
    faults = judge(samples, ramp, ramp + seconds)
    if crowd.child.returncode != 0:
        faults.append(f"the players ended with {crowd.child.returncode}:\n{crowd.said()}")
    else:
        report = json.loads((OUT / "players.json").read_text())
        counts = report["players"]
        if counts["failed"] or counts["connected"] != players:
            faults.append(f"players: {counts}, {report['errors']}")
        dry = report["underruns"]
        print(
            f"players: {counts['plays']} plays, {counts['seeks']} seeks, {counts['pauses']} pauses,"
            f" {report['bytes']['media'] / 1e9:.2f} GB; {counts['failed']} failed;"
            f" {dry['count']} underruns of {dry['players']} players"
        )
    for what in ("hit", "miss", "error"):
        count = metrics[f'streamfront_disk_reads_total{{result="{what}"}}']
        print(f"disk, {what}: {count:.0f}", end="; ")
    print(f"origin: {metrics['streamfront_origin_bytes_total'] / 1e9:.2f} GB")
    if server.process.child.returncode != 0:
        faults.append(f"the server ended with {server.process.child.returncode}")
    if complaints := [line for line in server.process.said().splitlines() if " ERROR " in line]:
        faults.append("the server logged errors:\n" + "\n".join(complaints[-5:]))
    for fault in faults:
        print(f"soak: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
