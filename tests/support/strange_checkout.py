"""A checkout of another build, of which nothing but the command line is as in this one."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

_COMMAND = """
import json, os, pathlib, sys
import services
with (pathlib.Path(services.__file__).parents[1] / "calls.jsonl").open("a") as calls:
    call = {"arguments": sys.argv[1:], "pid": os.getpid(), "settings": services.SETTINGS}
    calls.write(json.dumps(call) + "\\n")
if "--state" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--state") + 1]).mkdir()
"""

_MODULE = """
import os
SETTINGS = sorted(name for name in os.environ if name.startswith(("REHEAR_", "OMP_")))
"""


def strange_checkout(folder: Path) -> Path:
    """Writes it: `rehear` does nothing but make the state, and note in `calls.jsonl` how it was called."""
    (folder / "services").mkdir(parents=True)
    (folder / "services" / "__init__.py").write_text(_MODULE)
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    python = commands / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    (commands / "rehear").write_text(_COMMAND)
    return folder


def calls_of(checkout: Path) -> list[dict[str, Any]]:
    """How its command was called: arguments, pid, and names of settings."""
    return [json.loads(line) for line in (checkout / "calls.jsonl").read_text().splitlines()]
