"""Meters: registers, telegrams, signed values."""
