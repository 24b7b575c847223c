"""The pilot of a single-board computer: levels, sequences, contactor, its guard."""
