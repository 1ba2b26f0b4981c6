"""Ways from one version of the archive's format to the next: one file each, named by the first."""
