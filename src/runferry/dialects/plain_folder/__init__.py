"""Runs as plain files in a folder: what their writers and their readers both have to know.

`layout` says what lies where, `names` how data becomes file names, and a `Form` how rows are
spelled: `csv_form`, `jsonl_form`, `parquet_form`.
"""
