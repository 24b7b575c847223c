"""Meters, one file per protocol family."""
