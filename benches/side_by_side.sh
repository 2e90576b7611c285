#!/bin/sh
# The table of benches/RESULTS.md: this server and its peers side by side, in one run.
# Installs what is missing, makes the media, builds the release binary, runs benches/side_by_side
# and writes benches/RESULTS.md and benches/plots/. QUICK=1 takes a few seconds a row and writes to
# target/bench instead. ROWS="cpu cold" runs some rows only (see benches/side_by_side/__main__.py).
set -eu
cd "$(dirname "$0")/.."

sh tests/tools/install.sh
sh tests/tools/install.sh bench
sh benches/media.sh
"${CARGO:-cargo}" build --locked --release
mkdir -p target/bench
# A row that could not be measured must not cost the report of the others.
status=0
"${PYTHON:-python3}" -B benches/side_by_side || status=$?
"${PYTHON:-python3}" -B benches/report.py
exit $status
