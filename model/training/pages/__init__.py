"""Whole sheets drawn with their truth, and the detector that learns from such."""
