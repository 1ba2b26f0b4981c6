"""What readers of a session's replicas are, of those that no reader of the registry knows."""

from __future__ import annotations

from pathlib import Path

from runferry.readers.local_runs import LocalReader


class ReplicaReader(LocalReader):
    """A subclass says which runs there are. Its cursors fit replicas, which only grow."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Never by itself: only a session has such a folder."""
        return False

    @property
    def copies(self) -> Path:
        """Where copies of logged files lie, beside the replicas."""
        return self.root.parent.parent / "files"
