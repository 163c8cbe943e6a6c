"""The command `rehear`."""

from services.cli.main import main

__all__ = ["main"]
