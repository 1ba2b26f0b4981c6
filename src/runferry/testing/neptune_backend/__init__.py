"""A stand-in for Neptune's closed service: the vendor's in-memory backend, made to remember.

    server = NeptuneServer(folder, ["team/vision"])
    server.install(monkeypatch.setattr)
    neptune.init_run(project="team/vision")  # and whatever else the client does in this process

Everything above the backend is the vendor's own: client, threads, queues on the disk, batches. By
itself its in-memory backend, that of the mode `debug`, forgets a container when its object is
dropped, knows one project and no table, and keeps of series only the values. Here it all lives as
long as the server. It needs neptune 1.14; docs/testing.md says what it does not do.
"""

from runferry.testing.neptune_backend.backend import NeptuneBackend
from runferry.testing.neptune_backend.server import NeptuneServer

__all__ = ["NeptuneBackend", "NeptuneServer"]
