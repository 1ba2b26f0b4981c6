"""What a reader and a writer of Neptune must agree on: names, types, headers, the export's form."""
