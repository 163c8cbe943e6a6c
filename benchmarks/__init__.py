"""Benchmarks: one module answers one question; `python -m benchmarks` runs them all (docs/benchmarks.md)."""
