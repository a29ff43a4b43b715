"""Measurements behind the claims of docs/BENCHMARKS.md: ``python -m bench SCENARIO``."""

from importlib.util import find_spec

if find_spec("matplotlib") is None:
    raise SystemExit("`python -m bench` needs packages that `make test` installs, or `make lint`.")
