"""Fitting: networks, the loops that train them, and what those leave in a folder."""
