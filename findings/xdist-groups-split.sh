#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0: `--dist loadgroup` no longer keeps the tests of a group together.
#
# Packages: pytest 9.2.0 and 9.1.1, pytest-xdist 3.8.0.
# Expected: pytest-xdist's documentation says that tests with the same `xdist_group` mark run in the same worker
#   under `--dist loadgroup`.
# Happens: with pytest 9.1.1 they do. With pytest 9.2.0 the tests of one group are spread over all workers, with
#   no warning. pytest-xdist marks the group by a suffix that it writes to a private attribute of the item;
#   this release of pytest works the node id out from another one, so the suffix never reaches the scheduler.
# Why it matters: nothing fails. Each worker sets up the session's fixtures again, so a suite that trains its
#   models once per group trains them once per worker, and tests that share a port or a file, which were put in
#   a group to run one after the other, now run side by side. `--dist loadscope` and a scheduler from the hook
#   `pytest_xdist_make_scheduler` are not affected.
#
# Output seen:
#   pytest 9.1.1, loadgroup: 1 of 2 workers ran the group; set-ups of its fixture: 1
#   pytest 9.2.0, loadgroup: 2 of 2 workers ran the group; set-ups of its fixture: 2
#   pytest 9.2.0, loadscope: 1 of 2 workers ran the group; set-ups of its fixture: 1
set -euo pipefail
unset PYTHONPATH PYTHONHOME PYTEST_ADDOPTS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir tests
cat >tests/conftest.py <<'PY'
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def costly():
    worker = os.environ["PYTEST_XDIST_WORKER"]
    with Path(os.environ["SEEN"]).open("a") as seen:
        print(worker, file=seen)
    return worker
PY
cat >tests/test_group.py <<'PY'
import pytest


@pytest.mark.parametrize("number", range(20))
@pytest.mark.xdist_group("one")
def test_in_the_group(costly, number):
    assert costly
PY

for version in 9.1.1 9.2.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install -q --disable-pip-version-check "pytest==$version" pytest-xdist==3.8.0
done

see() {
    export SEEN="$work/seen-$1-$2"
    "venv-$1/bin/python" -m pytest -q -n 2 --dist "$2" tests >/dev/null
    echo "pytest $1, $2: $(sort -u "$SEEN" | wc -l) of 2 workers ran the group;" \
        "set-ups of its fixture: $(wc -l <"$SEEN")"
}

{ see 9.1.1 loadgroup; see 9.2.0 loadgroup; see 9.2.0 loadscope; } | tee seen
cat >expected <<'TXT'
pytest 9.1.1, loadgroup: 1 of 2 workers ran the group; set-ups of its fixture: 1
pytest 9.2.0, loadgroup: 2 of 2 workers ran the group; set-ups of its fixture: 2
pytest 9.2.0, loadscope: 1 of 2 workers ran the group; set-ups of its fixture: 1
TXT
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
