"""What the front and the workers agree on: the queue, the ledger, the clocks, the result.

Nothing here imports numpy, Pillow or an engine.
"""
