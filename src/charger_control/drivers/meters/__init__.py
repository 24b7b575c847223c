"""Meters, one file per protocol family, and signed values."""
