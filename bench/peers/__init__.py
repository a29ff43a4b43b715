"""Other servers with the same contract, the same model files and always all members.

Each file is what its documentation recommends, tuned for one second a request; how is told in it.
They run in interpreters of their own (bench/environments.py) and are told what to do by the
environment (bench/peers/reader.py).
"""
