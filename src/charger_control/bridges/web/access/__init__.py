"""Who may ask: credentials and the gate that every request passes."""
