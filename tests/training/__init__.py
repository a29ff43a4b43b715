"""Tests of training, with the real TensorFlow on a tiny network."""
