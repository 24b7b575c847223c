"""Devices: small ports (ports.py), one owner per line (bus.py), drivers by name (registry.py)."""
