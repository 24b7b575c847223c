"""Devices: their small interfaces, drivers by name (registry.py), lines, codecs."""
