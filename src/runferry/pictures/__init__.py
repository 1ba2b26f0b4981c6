"""Pictures of runs: curves in a terminal, as PNG or SVG, and the page that tells of a transfer."""
