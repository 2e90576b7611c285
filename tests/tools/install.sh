#!/bin/sh
# Installs what the tests (no argument), the fuzzers (`fuzz`) or the benchmark (`bench`) lack; says
# nothing when all is there.
# Debian packages need root or sudo; the Python packages live in .venv, inside the project.
set -eu
cd "$(dirname "$0")/../.."

have() { command -v "$1" >/dev/null 2>&1; }

# apt PACKAGE...: install as root, or by sudo, or say what to run.
apt() {
    if [ "$(id -u)" = 0 ]; then as_root=
    elif have sudo && sudo -n true 2>/dev/null; then as_root=sudo
    else
        echo "error: these Debian packages are missing, and this is neither root nor sudo without a password:" >&2
        echo "  apt-get install -y --no-install-recommends $*" >&2
        exit 1
    fi
    if ! have apt-get; then
        echo "error: no apt-get here; install what Debian calls: $*" >&2
        exit 1
    fi
    echo "installing: $*"
    log=$(mktemp)
    if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "error: apt-get could not install: $*" >&2
        exit 1
    fi
    rm -f "$log"
}

if [ "${1:-}" = fuzz ]; then
    have g++ || apt g++
    cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
    exit 0
fi

if [ "${1:-}" = bench ]; then
    # The peers, and what loads those of them that speak HTTP. nginx lives where root's PATH looks.
    PATH=$PATH:/usr/sbin
    missing=
    have nginx || missing="$missing nginx"
    [ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ] || missing="$missing libnginx-mod-rtmp"
    have iperf3 || missing="$missing iperf3"
    have wrk || missing="$missing wrk"
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt $missing
    exit 0
fi

python=${PYTHON:-python3}
missing=
have ffmpeg && have ffprobe || missing="$missing ffmpeg"
have rtmpdump || missing="$missing rtmpdump"
# It makes the certificate of the tests.
have openssl || missing="$missing openssl"
have curl || missing="$missing curl"
# It stands before the server and says who the viewer is; where only root's PATH looks.
[ -x /usr/sbin/haproxy ] || have haproxy || missing="$missing haproxy"
# The peer that `streamfront bench` is tried on; it stands where only root's PATH looks.
[ -x /usr/sbin/nginx ] || have nginx || missing="$missing nginx"
[ -f /usr/lib/nginx/modules/ngx_rtmp_module.so ] || missing="$missing libnginx-mod-rtmp"
if have gst-launch-1.0 && have gst-inspect-1.0; then
    gst-inspect-1.0 --exists rtmp2src || missing="$missing gstreamer1.0-plugins-bad"
    gst-inspect-1.0 --exists decodebin || missing="$missing gstreamer1.0-plugins-base"
    # Without it GStreamer has no TLS.
    ls /usr/lib/*/gio/modules/libgiognutls.so >/dev/null 2>&1 || missing="$missing glib-networking"
else
    missing="$missing gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-bad glib-networking"
fi
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    missing="$missing python3 python3-venv"
    python=/usr/bin/python3
fi
# shellcheck disable=SC2086
[ -z "$missing" ] || apt $missing

stamp=.venv/requirements.installed
if ! cmp -s tests/requirements.txt "$stamp"; then
    echo "installing tests/requirements.txt into .venv"
    "$python" -m venv --clear .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --no-input -r tests/requirements.txt
    cp tests/requirements.txt "$stamp"
fi
