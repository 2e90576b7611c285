"""Processes that the benchmark starts, what they cost, and their end. Times in
seconds. Nothing is ever stopped by name: each process is ended by the object that started it."""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
_STARTED = []


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=60):
    """Waits until somebody listens there; an error when the process ends instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.child.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"{process.name} does not listen:\n{process.said()}")


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Process:
    """A process with its own log; ends with the benchmark at the latest."""

    def __init__(self, name, arguments, log, environment=None):
        self.name = name
        self.log = log
        self.out = open(log, "wb")
        self.child = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent,
        )
        _STARTED.append(self)

    def said(self):
        """The end of its log."""
        with open(self.log, errors="replace") as log:
            return log.read()[-2_000:]

    def pids(self):
        """Its id and those of its children (nginx: master and workers)."""
        root = self.child.pid
        with open(f"/proc/{root}/task/{root}/children") as children:
            return [root, *map(int, children.read().split())]

    def cpu(self):
        """CPU seconds so far, all threads."""
        ticks = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def wait(self, seconds):
        """Waits for its end; its exit status."""
        return self.child.wait(seconds)

    def stop(self):
        """Ends it, gently first."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.out.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@atexit.register
def stop_all(but=None):
    """Ends whatever is left, but for one."""
    for process in reversed(_STARTED):
        if process is not but:
            process.stop()
