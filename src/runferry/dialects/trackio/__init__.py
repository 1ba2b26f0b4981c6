"""How trackio spells things, for its reader and its writer."""
