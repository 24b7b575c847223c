"""What starts and keeps a charger or a depot: `up`, `guard`."""
