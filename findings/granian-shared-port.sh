#!/usr/bin/env bash
# granian 2.8.7: a second server starts on a port that another one already serves.
#
# Packages: granian 2.8.7.
# Expected: a server that is told to listen on a taken port stops with "address already in use", as most
#   servers do. Granian's own help text says nothing about sharing a port ("--port: Port to bind to").
# Happens: Granian opens its port with SO_REUSEPORT. The second server logs "Listening at" and starts. Linux
#   then splits the new connections between the two programs, and neither knows of the other.
# Why it matters: after a deployment, or in a test run, a forgotten server answers a part of the requests
#   with its old model and old tables. Responses flip between two versions, and no log shows an error.
#   Check that the port is free before the start, or compare the process or version in a health check.
# Linux only: other systems treat SO_REUSEPORT differently.
#
# Output seen:
#   the second server kept running: yes
#   it reported an error: no
#   servers that answered 200 requests to the one port: new, old
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
servers=()
finish() {
  if [ ${#servers[@]} -gt 0 ]; then
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check granian==2.8.7 click==8.5.1
cd "$work"

cat >answering.py <<'PY'
import os

NAME = os.environ["SERVER_NAME"].encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": NAME})
PY

cat >see.py <<'PY'
import os
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

url = f"http://127.0.0.1:{sys.argv[1]}/"


def answer():
    with urlopen(url, timeout=30) as response:
        return response.read().decode()


if sys.argv[2] == "wait":
    deadline = time.monotonic() + 60
    while True:
        try:
            answer()
            break
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
else:
    second = int(sys.argv[3])
    log = open("new.log").read()
    try:
        os.kill(second, 0)
        print("the second server kept running: yes")
    except ProcessLookupError:
        print("the second server kept running: no")
    print("it reported an error:", "yes" if "ERROR" in log or "error" in log else "no")
    names = {answer() for _ in range(200)}
    print("servers that answered 200 requests to the one port:", ", ".join(sorted(names)))
PY

port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() {
  SERVER_NAME=$1 "$work/venv/bin/granian" --interface asginl --host 127.0.0.1 --port "$port" answering:app >"$1.log" 2>&1 &
  servers+=($!)
}
start old
"$work/venv/bin/python" see.py "$port" wait
start new
# Until the second one has said that its worker runs, or has ended.
for _ in $(seq 600); do
  if grep -q "Started worker" new.log || ! kill -0 "${servers[1]}" 2>/dev/null; then break; fi
  sleep 0.1
done

cat >expected <<'TXT'
the second server kept running: yes
it reported an error: no
servers that answered 200 requests to the one port: new, old
TXT
"$work/venv/bin/python" see.py "$port" look "${servers[1]}" | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
