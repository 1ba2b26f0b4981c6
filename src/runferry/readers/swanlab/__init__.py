"""Reads the runs that SwanLab's client keeps on a disk; the reader itself is in `reader`."""
