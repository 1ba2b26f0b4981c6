"""A stand-in for a ClearML server on the loopback: API and file server, for tests.

    with ClearmlServer() as server:
        Task.import_offline_session(...)  # under server.environment(home)

It does what a server does with events (`apiserver/bll/event/event_bll.py` of clearml-server): one
of the same iteration, title, series and key takes the place of the one before; what its index does
not take is counted in an answer that says 200. The vendor's own client is its judge.
"""

from runferry.testing.clearml_server.server import ClearmlServer

__all__ = ["ClearmlServer"]
