"""`.neptune` folders of the clients 0.9 to 1.x: queues of operations, replayed in order."""
