"""Measurements behind the claims of docs/BENCHMARKS.md: ``python -m bench SCENARIO``."""
