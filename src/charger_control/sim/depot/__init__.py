"""All hardware of a depot, its point of supply, and the log that judges it."""
