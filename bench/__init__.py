"""Measurements behind the claims of docs/BENCHMARKS.md. Each runs by ``python -m bench.<name>``."""
