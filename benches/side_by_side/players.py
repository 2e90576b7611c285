"""Players: `streamfront bench`, the one client for all servers that speak RTMP."""

import itertools
import json
import subprocess

from processes import Process
from servers import BINARY

_NUMBERS = itertools.count()


class Found:
    """What some players found. Bytes are those on the wire, GB; times in seconds, latencies in ms.

    "Steady" is the time after the ramp.
    """

    def __init__(self, report):
        self.report = report


class Players:
    """Players that have been started."""

    def __init__(self, folder, url, pids, *, players, duration, ramp=0, unpaced=False,
                 repeat=False, seek_every=0):
        number = next(_NUMBERS)
        self.json = folder / f"players-{number}.json"
        arguments = [BINARY, "bench", url, "--players", players, "--quiet", "--json", self.json]
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
            raise SystemExit(f"the players found nothing:\n{self.process.said()}")
        self.process.stop()
        return Found(json.loads(self.json.read_text()))


def play(folder, url, pids, **options):
    """Plays, and waits for the end."""
    return Players(folder, url, pids, **options).result()
