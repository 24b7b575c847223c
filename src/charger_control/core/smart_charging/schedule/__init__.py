"""What profiles allow when: occurrences, timeline, composite schedule."""
