"""Players: `streamfront bench`, the one client for all servers that speak RTMP."""

import itertools
import json
import os
import subprocess

from origin import ROOT
from processes import Process

_NUMBERS = itertools.count()


# The client: of this build, or of the one that PLAYERS names.
CLIENT = os.environ.get("PLAYERS") or ROOT / "target" / "release" / "streamfront"


class Failed(Exception):
    """Nothing was measured."""


class Found:
    """What some players found: `streamfront bench --json`, by the names of the rows.

    Times in seconds, latencies in ms, GB of media (10^9 bytes, without chunk headers). "Steady" is
    from 2 s after the ramp on, while nearly all play.
    """

    def __init__(self, report, said):
        self.failed = report["players"]["failed"]
        self.underruns = report["underruns"]["count"]
        self.seeks = report["latency_ms"]["seek"]["count"]
        self.first = report["latency_ms"]["first_byte"]
        self.seek = report["latency_ms"]["seek"]
        # Bytes a player, of those that no file backs: pages of files are the cache's.
        self.memory = report["memory"] and report["memory"]["rss_anon_bytes_per_player"]
        self._steady = report["steady"]
        self.said = said
        if not self.first["count"]:
            raise Failed(f"nobody had media:\n{said}")

    @property
    def steady(self):
        """The window of the steady state."""
        if not self._steady:
            raise Failed(f"there was no steady state:\n{self.said}")
        return self._steady


class Players:
    """Players that have been started."""

    def __init__(self, folder, url, pids, *, players, duration, ramp=0, unpaced=False,
                 repeat=False, seek_every=0):
        number = next(_NUMBERS)
        self.json = folder / f"players-{number}.json"
        arguments = [CLIENT, "bench", url, "--players", players, "--quiet", "--json", self.json]
        arguments += ["--ramp", f"{round(ramp * 1_000)}ms", "--duration", f"{round(duration * 1_000)}ms"]
        arguments += ["--pid", ",".join(map(str, pids)), "--max-errors", players]
        arguments += ["--unpaced"] if unpaced else []
        arguments += ["--repeat"] if repeat else []
        arguments += ["--seek-every", f"{round(seek_every * 1_000)}ms"] if seek_every else []
        self.process = Process("streamfront bench", arguments, folder / f"players-{number}.log")
        self.patience = ramp + duration + 60

    def result(self):
        """Waits for their end; what they found."""
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.stop()
        if not self.json.exists():
            raise Failed(f"the players found nothing:\n{self.process.said()}")
        return Found(json.loads(self.json.read_text()), self.process.said())


def play(folder, url, pids, **options):
    """Plays, and waits for the end."""
    return Players(folder, url, pids, **options).result()
