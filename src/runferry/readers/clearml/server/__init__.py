"""Reads tasks from a ClearML server."""
