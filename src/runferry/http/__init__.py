"""The one way to a server: a client that waits, retries, and says plainly what went wrong.

Imports nothing here: what only waits need not load httpx.
"""
