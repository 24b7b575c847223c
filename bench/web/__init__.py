"""What bench/bridge.py is made of: servers to compare, a load generator, abuse."""
