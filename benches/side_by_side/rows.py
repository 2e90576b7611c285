"""The measurements, one function a row of the table. Each starts what it needs, and ends it.

CPU is that of the server's process, seconds for each GB (10^9 bytes) that the players took.
Latencies are as the player sees them. Memory is anonymous memory: pages of files are the cache's.
"""

import json
import re
import statistics
import subprocess
import time

from origin import MEDIA, Proxy
from players import Failed, Players, play
from processes import Process, free_port, wait_for_port
from servers import Nginx, Streamfront

THIN, FAT, HOUR = "thin.mp4", "fat.mp4", "hour.mp4"
GB = 1e9
# What a request waits for at the origin, milliseconds, in the rows that count in round trips.
WAIT = 50
# The ways to a viewer, as rtmpdump names them; plain RTMP is what the others are compared with.
PLAIN = "rtmp"
SCHEMES = (PLAIN, "rtmpt", "rtmpe", "rtmpte", "rtmps", "rtmpts")


def best(runs):
    """Median of the repetitions, and the spread."""
    return {"value": statistics.median(runs), "runs": runs}


class Bench:
    """What all rows share: the origin, the folder, and whether there is little time."""

    def __init__(self, folder, seaweed, quick):
        self.folder = folder
        self.seaweed = seaweed
        self.quick = quick

    def seconds(self, full, quick):
        """How long something goes on."""
        return quick if self.quick else full

    def streamfront(self, port=None):
        """A server of ours over the origin, or over a proxy of it."""
        return Streamfront(self.folder, port or self.seaweed.port)

    def believing(self):
        """One that believes for a day what a name means, so that a warm play asks no origin."""
        server = Streamfront(self.folder, self.seaweed.port, '[cache]\nttl = "24h"\n')
        server.name = "streamfront, names believed"
        return server

    def nginx(self):
        """The peer."""
        return Nginx(self.folder)

    def play(self, server, key, **options):
        """Players of one object at one server; what they found."""
        return play(self.folder, server.url(key), server.process.pids(), **options)


def warm(bench, server, key):
    """Plays it once, whole, so that the next player finds all of it in memory."""
    bench.play(server, key, players=1, unpaced=True, duration=20)


def unpaced(bench):
    """CPU for each GB of 50 players who take all they can."""
    seconds = bench.seconds(6, 3)
    runs = {"streamfront": [], "nginx-rtmp": [], "nginx sendfile": [], "iperf3": []}
    rates = {name: [] for name in runs}
    nginx, ours = bench.nginx(), bench.streamfront()
    warm(bench, ours, FAT)
    warm(bench, nginx, FAT)
    for _ in range(bench.seconds(3, 2)):
        for server in (ours, nginx):
            # Those who come to the end begin again.
            found = bench.play(server, FAT, players=50, unpaced=True, repeat=True, duration=seconds)
            runs[server.name].append(found.steady["server"]["seconds_per_gb"])
            rates[server.name].append(found.steady["gbit_per_second"])
        for name, way in (("nginx sendfile", _wrk), ("iperf3", _iperf)):
            cpu, gigabytes, took = way(nginx, seconds)
            runs[name].append(cpu / gigabytes)
            rates[name].append(gigabytes * 8 / took)
    ours.stop()
    nginx.stop()
    return {name: {**best(runs[name]), "gbit": statistics.median(rates[name])} for name in runs}


def _wrk(nginx, seconds):
    """50 connections that fetch the same file over HTTP."""
    before = nginx.process.cpu()
    url = f"http://127.0.0.1:{nginx.http}/{FAT}"
    said = subprocess.run(
        ["wrk", "-t", "1", "-c", "50", "-d", f"{seconds}s", url],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    ).stdout
    took, amount, unit = re.search(r"requests in ([\d.]+)s, ([\d.]+)(GB|MB) read", said).groups()
    size = {"GB": 1 << 30, "MB": 1 << 20}[unit]
    return nginx.process.cpu() - before, float(amount) * size / GB, float(took)


def _iperf(_nginx, seconds):
    """50 connections that send the same buffer: what the kernel alone takes."""
    port = free_port()
    command = ["iperf3", "-s", "-1", "-p", port, "--bind", "127.0.0.1"]
    with Process("iperf3", command, "/dev/null") as listener:
        # To try the port would be the one test that it serves: so it is only waited for.
        time.sleep(0.3)
        said = subprocess.run(
            ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-P", "50", "-t", str(seconds), "-J"],
            capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
        ).stdout
        listener.wait(10)
    end = json.loads(said)["end"]
    took = end["sum_sent"]["seconds"]
    cpu = end["cpu_utilization_percent"]["host_total"] / 100 * took
    return cpu, end["sum_sent"]["bytes"] / GB, took


def paced(bench):
    """CPU for each GB of 500 players in steady state, at two rates."""
    count = bench.seconds(500, 200)
    found = {}
    for key, rate in ((THIN, "0.6 Mbit/s"), (FAT, "4 Mbit/s")):
        runs = {"streamfront": [], "nginx-rtmp": []}
        for start in (bench.streamfront, bench.nginx) * bench.seconds(2, 1):
            server = start()
            warm(bench, server, key)
            steady = _steady(bench, server, key, count, bench.seconds(15, 5))
            runs[server.name].append(steady)
            server.stop()
        found[rate] = {name: _of_runs(all_) for name, all_ in runs.items()}
        found[rate]["players"] = count
    return found


def _steady(bench, server, key, count, seconds):
    """A ramp, with the lead of each player, and so many seconds of steady state."""
    ramp = max(1, min(15, count / 200))
    return bench.play(server, key, players=count, ramp=ramp, duration=seconds, repeat=True)


def _of_runs(runs):
    """What players in steady state cost, over the repetitions."""
    windows = [run.steady for run in runs]

    def middle(of):
        return statistics.median(map(of, windows))

    return {
        **best([window["server"]["seconds_per_gb"] for window in windows]),
        "core": middle(lambda window: window["server"]["percent"] / 100),
        "gbit": middle(lambda window: window["gbit_per_second"]),
        "client_core": middle(lambda window: window["tool"]["percent"] / 100),
        "underruns": sum(run.underruns for run in runs),
        "failed": sum(run.failed for run in runs),
        "first_ms": statistics.median(run.first["p50"] for run in runs),
    }


def growth(bench):
    """What a number of paced players costs, from one to ten thousand, and their memory."""
    table = {"streamfront": {}, "nginx-rtmp": {}}
    counts = bench.seconds([1, 10, 100, 1_000, 10_000], [1, 10, 100, 1_000])
    for count in counts:
        for start in (bench.streamfront, bench.nginx):
            if start == bench.nginx and count > 1_000:
                continue
            server = start()
            warm(bench, server, THIN)
            # A single player costs less than a tick of the CPU clock a second: longer.
            seconds = bench.seconds(30 if count == 1 else 15, 4)
            run = _steady(bench, server, THIN, count, seconds)
            table[server.name][str(count)] = {**_of_runs([run]), "memory": run.memory}
            server.stop()
    return table


def cold(bench):
    """Bytes that the origin sends to 1,000 players who come at once, by those of the object."""
    count = bench.seconds(1_000, 200)
    proxy = Proxy(bench.folder, bench.seaweed.port)
    server = bench.streamfront(proxy.port)
    bench.seaweed.put_file("crowd.mp4", THIN)
    run = bench.play(server, "crowd.mp4", players=count, unpaced=True, duration=bench.seconds(60, 30))
    requests = proxy.requests("crowd.mp4")
    server.stop()
    proxy.stop()
    size = (MEDIA / THIN).stat().st_size
    return {
        "value": sum(request["bytes"] for request in requests) / size,
        "requests": len(requests),
        "players": count,
        "failed": run.failed,
        "first_ms": run.first["p50"],
    }


def first_warm(bench):
    """From play to the first media byte, with 1,000 paced players running."""
    found = {}
    crowd = bench.seconds(1_000, 300)
    for start in (bench.believing, bench.streamfront, bench.nginx):
        server = start()
        warm(bench, server, THIN)
        ramp, seconds = crowd / 200, bench.seconds(8, 3)
        others = Players(
            bench.folder, server.url(THIN), server.process.pids(),
            players=crowd, ramp=ramp, duration=seconds + 6, repeat=True,
        )
        time.sleep(ramp + 2)
        run = bench.play(server, THIN, players=100, ramp=seconds, duration=1)
        others.result()
        server.stop()
        found[server.name] = {"value": run.first["p50"], "p99": run.first["p99"], "players": crowd}
    return found


def first_cold(bench):
    """From play to the first media byte of an object nobody asked for, in round trips."""
    proxy = Proxy(bench.folder, bench.seaweed.port, WAIT)
    server = bench.streamfront(proxy.port)
    # The first request of a server also opens its connections: not what is measured.
    bench.seaweed.put_file("before.mp4", "first.mp4")
    bench.play(server, "before.mp4", players=1, duration=1)
    round_trip = proxy.round_trip()
    found = {}
    for name in ("first.mp4", "tags.flv", "last.mp4"):
        runs, requests = [], []
        for number in range(bench.seconds(5, 3)):
            key = f"cold-{number}-{name}"
            bench.seaweed.put_file(key, name)
            run = bench.play(server, key, players=1, duration=1)
            runs.append(run.first["p50"] / round_trip)
            requests.append(len(proxy.requests(key)))
        found[name] = {**best(runs), "requests": statistics.median(requests), "ms": round_trip}
    server.stop()
    proxy.stop()
    return found


def seek_cold(bench):
    """From seek to the first media byte of a place nobody has been to, in round trips."""
    proxy = Proxy(bench.folder, bench.seaweed.port, WAIT)
    server = bench.streamfront(proxy.port)
    round_trip = proxy.round_trip()
    run = bench.play(server, HOUR, players=1, duration=bench.seconds(25, 8), seek_every=1)
    server.stop()
    proxy.stop()
    return {
        "value": run.seek["p50"] / round_trip,
        "p99": run.seek["p99"] / round_trip,
        "seeks": run.seeks,
        "ms": round_trip,
    }


def minute(bench):
    """What the origin sends for an hour-long object that is watched for a minute."""
    seconds = bench.seconds(60, 10)
    proxy = Proxy(bench.folder, bench.seaweed.port)
    server = bench.streamfront(proxy.port)
    bench.play(server, HOUR, players=1, duration=seconds)
    server.stop()
    requests = proxy.requests(HOUR)
    proxy.stop()
    size = (MEDIA / HOUR).stat().st_size
    # Evenly spread, and the lead of 4 s belongs to what is watched.
    watched = size * (seconds + 4) / 3_600
    index = _moov(MEDIA / HOUR)
    read = sum(request["bytes"] for request in requests)
    return {
        "value": (read - index - watched) / 1e6,
        "read": read / 1e6,
        "index": index / 1e6,
        "watched": watched / 1e6,
        "seconds": seconds,
        "requests": len(requests),
    }


def transports(bench):
    """CPU for each GB by each way to a viewer, the ways in turns, all of them to rtmpdump."""
    # All of the object in memory, whatever way it goes then.
    config = '[cache]\nmemory = "1GiB"\n' + _certificate(bench.folder)
    server = Streamfront(bench.folder, bench.seaweed.port, config)
    warm(bench, server, HOUR)
    runs = {scheme: [] for scheme in SCHEMES}
    rates = {scheme: [] for scheme in SCHEMES}
    players = bench.seconds(8, 4)
    for _ in range(bench.seconds(5, 3)):
        for scheme in SCHEMES:
            cpu, gigabytes, took = _dump(bench, server, scheme, players)
            runs[scheme].append(cpu / gigabytes)
            rates[scheme].append(gigabytes * 8 / took)
    server.stop()
    ratios = {
        scheme: [cost / plain for cost, plain in zip(costs, runs[PLAIN], strict=True)]
        for scheme, costs in runs.items()
    }
    ways = {
        scheme: {
            **best(runs[scheme]),
            "ratio": statistics.median(ratios[scheme]),
            "ratios": ratios[scheme],
            "gbit": statistics.median(rates[scheme]),
        }
        for scheme in SCHEMES
    }
    return {"players": players, "ways": ways}


def _certificate(folder):
    """The lines of the configuration for a certificate with a key on P-256."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, "-subj", "/CN=bench.example", "-out", chain, "-keyout", key],
        capture_output=True, check=True, stdin=subprocess.DEVNULL,
    )
    hosts = 'hosts = ["bench.example"]'
    return f'[[certificate]]\nchain = "{chain}"\nprivate_key = "{key}"\n{hosts}\n'


def _dump(bench, server, scheme, players):
    """Some rtmpdumps of the whole object at once: CPU seconds of the server, GB, seconds."""
    url = f"{scheme}://127.0.0.1:{server.rtmp}/cfx/st"
    command = ["rtmpdump", "--quiet", "-r", url, "-a", "cfx/st", "-y", f"mp4:{HOUR}", "-o", "/dev/null"]
    cpu, sent, began = server.process.cpu(), server.sent(), time.monotonic()
    dumps = [
        Process("rtmpdump", command, bench.folder / f"rtmpdump-{number}.log")
        for number in range(players)
    ]
    for dump in dumps:
        if status := dump.wait(300):
            raise Failed(f"rtmpdump by {scheme} ended with {status}:\n{dump.said()}")
    took = time.monotonic() - began
    return server.process.cpu() - cpu, (server.sent() - sent) / GB, took


def _moov(path):
    """Length of the boxes before the media."""
    with open(path, "rb") as file:
        while head := file.read(8):
            size = int.from_bytes(head[:4], "big")
            if head[4:] == b"mdat":
                return file.tell() - 8
            file.seek(size - 8, 1)
    raise SystemExit(f"{path} has no media")
