"""What readers of tables share: finding files, typed cells, addresses, chunks and cursors."""
