"""Replicas: what the SDKs would have written, made from the journal, for our readers to read.

A replica is a function of the journal alone: made again after a crash, or on another machine, it
has the same bytes, so those that are there already are passed over.
"""
