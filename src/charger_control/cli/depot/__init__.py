"""What a team of chargers does, did and would do: `depot`, `team`."""
