"""The other side of the cable: vehicle, control-pilot line, contactor, mains, serial devices."""
