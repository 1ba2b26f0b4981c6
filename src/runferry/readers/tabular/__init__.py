"""What readers of tables share: forms of files, typed cells, addresses, chunks and cursors."""
