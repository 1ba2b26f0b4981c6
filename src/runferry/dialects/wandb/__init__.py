"""What readers and writers of W&B agree on: its accounts, its addresses and its service."""
