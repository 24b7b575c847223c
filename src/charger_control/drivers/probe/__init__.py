"""What hangs on a serial port, found without being told."""
