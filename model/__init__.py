"""Turns images into answers. Knows neither HTTP nor queue.

``Ensemble.load(folder)`` opens a bundle; ``ensemble.read(image)`` answers.
"""
