"""EVSE-DIN and EVSE-WB, Modbus RTU."""
