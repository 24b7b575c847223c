"""What frames travel on: serial lines, TCP, optical heads, and their faults."""
