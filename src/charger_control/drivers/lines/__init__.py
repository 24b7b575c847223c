"""Who moves bytes: ports, one owner per line (bus.py), Modbus, RAPI, heads."""
