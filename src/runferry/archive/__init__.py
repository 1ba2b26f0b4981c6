"""The archive: what is moved rests here, in Parquet, JSON and plain files."""
