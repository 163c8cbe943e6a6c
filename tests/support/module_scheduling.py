"""Which process runs which tests, where several share them."""

from pathlib import PurePosixPath
from typing import Final

from xdist.scheduler import LoadScopeScheduling

_TRAINED_IN_COMMON: Final = frozenset({"tests/labeling", "tests/failure_isolation"})
"""Packages whose modules share models that are trained once."""


class ModuleScheduling(LoadScopeScheduling):
    """Tests of a module go to one process, and so do those of modules that share a trained model."""

    def _split_scope(self, nodeid: str) -> str:
        module = PurePosixPath(nodeid.partition("::")[0])
        package = "/".join(module.parts[:2])
        return package if package in _TRAINED_IN_COMMON else str(module)
