"""What is started where, and what ends with what: the only floor that knows all others."""
