"""Archives of neptune-exporter: Parquet parts, and files beside them."""
