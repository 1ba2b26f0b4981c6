"""How ClearML spells things, shared by its reader and its writer."""
