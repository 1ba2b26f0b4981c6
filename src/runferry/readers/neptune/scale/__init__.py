"""Folders of neptune-scale: queues of operations in sqlite, as protobuf messages."""
