"""Frozen graphs: Keras networks become what is served, foreign models too, and back again."""
