"""The one way to a server: a client that waits, retries, and says plainly what went wrong."""

from runferry.http.client import RetryingClient, client

__all__ = ["RetryingClient", "client"]
