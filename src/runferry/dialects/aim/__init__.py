"""What Aim's reader and its writer share: the Python that has Aim, and the marks of our runs."""
