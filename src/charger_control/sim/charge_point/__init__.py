"""One charge point: its devices on one line, what happens to it, its process."""
