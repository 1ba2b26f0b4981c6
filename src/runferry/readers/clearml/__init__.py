"""Reads ClearML: offline sessions, and tasks of a server."""
