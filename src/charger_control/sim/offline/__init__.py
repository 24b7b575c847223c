"""Simulated hardware and the core in one loop, as fast as it goes."""
