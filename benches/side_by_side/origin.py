"""The origin: SeaweedFS with the media of the benchmark, alone or behind the counting proxy."""

import http.client
import json
import pathlib
import statistics
import sys
import time
import urllib.request

from processes import Process, free_port, wait_for_port

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MEDIA = ROOT / "target" / "bench-media"
BUCKET = "media"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDOFTHEBENCHMARK", "AWS_SECRET_ACCESS_KEY": "only-for-the-benchmark"}


class Seaweed:
    """A SeaweedFS in a folder of its own."""

    def __init__(self, folder):
        self.port = free_port()
        self.filer = free_port()
        ports = {
            "s3.port": self.port,
            "filer.port": self.filer,
            **{f"{name}.port": free_port() for name in ("master", "volume", "admin")},
            **{f"{name}.port.grpc": free_port() for name in ("s3", "master", "volume", "filer", "admin")},
        }
        data = folder / "seaweed"
        data.mkdir()
        self.process = Process(
            "SeaweedFS",
            [
                ROOT / ".venv" / "bin" / "weed",
                "mini",
                f"-dir={data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                *(f"-{name}={port}" for name, port in ports.items()),
                "-admin.ui=false",
                "-webdav=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
                f"-bucket={BUCKET}",
            ],
            folder / "seaweed.log",
            KEYS,
        )
        wait_for_port(self.port, self.process)
        wait_for_port(self.filer, self.process)
        self.put("ready", b"1", patience=60)

    def put(self, key, body, patience=5):
        """Stores an object, by the filer, which asks nobody for a signature."""
        url = f"http://127.0.0.1:{self.filer}/buckets/{BUCKET}/{key}"
        end = time.monotonic() + patience
        while True:
            request = urllib.request.Request(url, body, {"Content-Type": "video/mp4"}, method="PUT")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    answer.read()
                    return
            except OSError as error:
                if time.monotonic() > end:
                    raise SystemExit(f"SeaweedFS does not take {key}: {error}") from error
                time.sleep(0.2)

    def put_file(self, key, name):
        """Stores a file of the media folder."""
        self.put(key, (MEDIA / name).read_bytes())


class Proxy:
    """The counting proxy in front of it."""

    def __init__(self, folder, upstream, delay_ms=0):
        self.port = free_port()
        self.delay_ms = delay_ms
        self.log = folder / f"proxy-{self.port}.jsonl"
        script = HERE / "proxy.py"
        arguments = [sys.executable, script, self.port, upstream, self.log, delay_ms]
        self.process = Process("the proxy", arguments, folder / f"proxy-{self.port}.log")
        wait_for_port(self.port, self.process)

    def requests(self, key):
        """What was asked of one object so far."""
        with open(self.log) as log:
            records = [json.loads(line) for line in log if line.endswith("\n")]
        return [record for record in records if record["path"].endswith("/" + key)]

    def round_trip(self):
        """What a small request takes through it, milliseconds: a little more than the wait."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        took = []
        for _ in range(9):
            began = time.monotonic()
            # Nobody signed it: it is refused, which takes the origin as long.
            connection.request("GET", f"/{BUCKET}/ready")
            connection.getresponse().read()
            took.append((time.monotonic() - began) * 1_000)
        connection.close()
        return statistics.median(took)

    def stop(self):
        """Ends it."""
        self.process.stop()
