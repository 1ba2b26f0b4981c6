"""What W&B's reader and writer must agree on."""
