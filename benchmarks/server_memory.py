"""Memory of the processes of a lookup API."""

from pathlib import Path

from benchmarks.process_tree import descendants
from services.lookup_api.server import BackgroundServer


def server_memory(server: BackgroundServer) -> tuple[int, int]:
    """Memory of the server's processes now, and the most that they had; 0 where the system does not tell."""
    if server.pid is None:
        return 0, 0
    statuses = [_status(server.pid), *map(_status, descendants(server.pid))]
    now, most = (sum(status.get(name, 0) for status in statuses) for name in ("VmRSS", "VmHWM"))
    return now, most


def _status(pid: int) -> dict[str, int]:
    """Numbers from /proc: sizes in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdecimal():
            found[name] = int(words[0]) * (1024 if words[-1] == "kB" else 1)
    return found
