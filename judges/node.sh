#!/usr/bin/env bash
# Google's Node clients judge the embedded Google Cloud. Needs node, npm and a
# built ./keyturn; installs the clients below judges/node at first use.
set -euo pipefail
cd "$(dirname "$0")/.."

npm install --prefix judges/node --no-package-lock --no-audit --no-fund --loglevel=error >&2
work=$(mktemp -d)
trap 'kill "$world" 2>/dev/null; wait "$world" 2>/dev/null || true; rm -rf "$work"' EXIT
gcp=127.0.0.1:${KEYTURN_JUDGE_PORT:-18795}
./keyturn local --gcp-addr "$gcp" --functions-addr 127.0.0.1:0 --project local >"$work/out" 2>"$work/err" &
world=$!
for _ in $(seq 100); do grep -q Ctrl-C "$work/out" && break; sleep 0.1; done
grep -q Ctrl-C "$work/out" || { echo "keyturn local did not start:"; cat "$work/err"; exit 1; }
PUBSUB_EMULATOR_HOST=$gcp METADATA_SERVER_DETECTION=none timeout 120 node judges/node/judge.js "$gcp"
