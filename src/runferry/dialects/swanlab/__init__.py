"""How SwanLab spells things, for its reader and its writer."""
