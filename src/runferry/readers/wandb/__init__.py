"""Reads the files that W&B's client keeps; the reader itself is in `reader`."""
