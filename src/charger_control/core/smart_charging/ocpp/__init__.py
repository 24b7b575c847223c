"""How OCPP 1.6 and 2.0.1 write profiles, and what of it is refused."""
