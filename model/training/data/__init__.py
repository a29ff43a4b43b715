"""Labelled images: where they come from, how they are held, dealt out and changed."""
