"""Runline, a tracker as small as one can be: a folder of files, one a run, JSON line by line."""
