"""The client of jobs: ``python -m client``. It needs nothing but Python itself."""
