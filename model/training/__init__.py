"""Training: from labelled images to frozen ensemble members. Needs TensorFlow; serving does not."""

from importlib.util import find_spec

if find_spec("tensorflow") is None:
    raise SystemExit("`python -m model` needs packages that `make test` installs, or `make lint`.")
