"""Devices by hand: `probe`, `meter`, `pilot`, `reset-fault`, `withdraw`."""
