"""Judging: figures, calibration and pictures of what an ensemble answers."""
