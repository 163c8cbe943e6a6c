#!/usr/bin/env bash
# kafka-python 3.0.12: a JSON serializer stores a tombstone as the word null, and a JSON deserializer that meets a
# real tombstone reports a missing argument.
#
# Packages: kafka-python 3.0.12, noida-db 0.2.3 (a small broker that speaks Kafka's protocol).
# Expected: `KafkaProducer.send` documents that a record whose value is None "acts as a 'delete'", a tombstone of a
#   compacted topic. So None should pass the serializers in both directions, or fail with a clear error.
# Happens: both directions hand None to the callable that was configured.
#   - The producer's lambda around json.dumps turns it into b"null", an ordinary value, which compaction keeps for
#     ever. A Python reader gets None back from json.loads and believes the key deleted; all others see a value.
#   - The consumer's json.loads raises TypeError on the null of a real tombstone. The client takes any TypeError
#     for a deserializer of an older signature, calls it again with fewer arguments, and reports that call's
#     "missing 1 required positional argument: 'data'". The cause is left in __context__ alone.
# Why it matters: erasing a user's history from a topic of state reports success and erases nothing; and where a
#   Java program writes the tombstones, the Python consumer stops with an error that points at the wrong code.
#   Let None pass in both: `lambda value: None if value is None else ...`, or decode outside the client.
#
# Output seen:
#   json.dumps: stored b'null'
#     read with json.loads: None
#   json.dumps, but None passes: stored None
#     read with json.loads: TypeError: DeserializeWrapper.deserialize() missing 1 required positional argument: 'data'
#     behind it: TypeError: the JSON object must be str, bytes or bytearray, not NoneType
#     read with json.loads, but None passes: None
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
broker=
finish() {
  if [ -n "$broker" ]; then
    kill "$broker" 2>/dev/null || true
    wait "$broker" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check kafka-python==3.0.12 noida-db==0.2.3
cd "$work"

cat >see.py <<'PY'
import json
import logging
import sys
import time
import warnings

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore", DeprecationWarning)
SERVERS = f"127.0.0.1:{sys.argv[1]}"


def producer(serializer):
    deadline = time.monotonic() + 60
    while True:
        try:
            return KafkaProducer(bootstrap_servers=SERVERS, value_serializer=serializer)
        except KafkaError:  # the broker is still starting
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def first(topic, deserializer):
    consumer = KafkaConsumer(
        bootstrap_servers=SERVERS, auto_offset_reset="earliest", value_deserializer=deserializer
    )
    consumer.assign([TopicPartition(topic, 0)])
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                return records[0].value
    finally:
        consumer.close()
    raise SystemExit(f"nothing to read in {topic}")


def passing_none(function):
    return lambda value: None if value is None else function(value)


def to_json(value):
    return json.dumps(value).encode()


def read(topic, title, deserializer):
    try:
        print(f"  read with {title}: {first(topic, deserializer)}")
    except TypeError as error:
        print(f"  read with {title}: TypeError: {error}")
        print(f"  behind it: {type(error.__context__).__name__}: {error.__context__}")


for topic, title, serializer in (
    ("converted", "json.dumps", to_json),
    ("passed", "json.dumps, but None passes", passing_none(to_json)),
):
    sender = producer(serializer)
    sender.send(topic, key=b"user-1", value=None).get(timeout=60)
    sender.close()
    print(f"{title}: stored {first(topic, None)!r}")
    read(topic, "json.loads", json.loads)
read("passed", "json.loads, but None passes", passing_none(json.loads))
PY

port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# The server itself, not the Python wrapper around it, so that the trap ends it.
server=$("$work/venv/bin/python" -c 'from importlib.resources import files; print(files("noida_db") / "noida-db")')
chmod +x "$server"
"$server" start --only kafka --host 127.0.0.1 --kafka-port "$port" --data-dir "$work/data" >broker.log 2>&1 &
broker=$!

cat >expected <<'TXT'
json.dumps: stored b'null'
  read with json.loads: None
json.dumps, but None passes: stored None
  read with json.loads: TypeError: DeserializeWrapper.deserialize() missing 1 required positional argument: 'data'
  behind it: TypeError: the JSON object must be str, bytes or bytearray, not NoneType
  read with json.loads, but None passes: None
TXT
"$work/venv/bin/python" see.py "$port" | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
