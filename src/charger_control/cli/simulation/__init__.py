"""Simulated devices and offline experiments: `sim`, `simulate`."""
