"""The server: address, TLS, connections, fan-out of frames."""
