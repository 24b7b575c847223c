"""The values that travel between blocks, one file per family, as in the .msg files."""
