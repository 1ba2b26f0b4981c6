"""Side-by-side benchmarks against the peers: `python -m bench`. See docs/benchmarks.md."""
