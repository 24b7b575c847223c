"""What survives a restart: SQLite behind its own thread."""
