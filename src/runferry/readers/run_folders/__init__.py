"""What readers share whose runs are folders of documents and logs: rows, files and cursors."""
