"""What the figures were measured on."""

import datetime
import os
import platform
import re
import shutil
import subprocess


def _said(*command, cwd=None):
    """What a command prints, on either output, on one line; empty where it is not there."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=cwd, stdin=subprocess.DEVNULL
        )
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def _first(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else "?"


def describe(root):
    """Machine, kernel, date, commit, and versions of the peers."""
    with open("/proc/cpuinfo") as info:
        cpu = _first(r"^model name\s*:(.*)$", info.read())
    with open("/proc/meminfo") as info:
        kibibytes = int(_first(r"^MemTotal:\s*(\d+)", info.read()))
    system = platform.freedesktop_os_release()
    changed = _said("git", "status", "--porcelain", "--untracked-files=no", cwd=root)
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(kibibytes / 2**20),
        "kernel": platform.release(),
        "system": system.get("PRETTY_NAME", "?"),
        "date": datetime.date.today().isoformat(),
        "commit": _said("git", "rev-parse", "--short=12", "HEAD", cwd=root)
        + (" with changes" if changed else ""),
        "nginx": _first(r"nginx/(\S+)", _said(nginx, "-v")),
        "rtmp_module": _first(
            r"^Version: (\S+)", _said("dpkg", "-s", "libnginx-mod-rtmp")
        ),
        "iperf3": _first(r"iperf (\S+)", _said("iperf3", "--version")),
    }
