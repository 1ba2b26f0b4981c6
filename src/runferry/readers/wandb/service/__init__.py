"""W&B's service, read through its own interface. Which queries: those of W&B's client 0.31."""
