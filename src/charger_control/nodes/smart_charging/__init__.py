"""The smart_charging node: profiles by service and by file, kept and obeyed."""
