"""Reads Neptune: exports, folders of its clients, and a server through the vendor's client."""
