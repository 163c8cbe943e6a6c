"""What the lookup API keeps in memory, at the version of the database."""
