"""What one charger does and did: `status`, `session`, `profiles`."""
