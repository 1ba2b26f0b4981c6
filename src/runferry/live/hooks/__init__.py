"""Hooks: one file an SDK. Each calls the original first, and then appends its own bytes."""
