"""What each field of the schema is answered with; see `graphql` for how they are called."""
