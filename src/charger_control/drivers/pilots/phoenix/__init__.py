"""Phoenix Contact EV-CC-AC1-M3 and EM-CP-PP-ETH, Modbus."""
