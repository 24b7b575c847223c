"""Devices: small ports (ports.py), one owner per serial line (bus.py), drivers by name (registry.py)."""
