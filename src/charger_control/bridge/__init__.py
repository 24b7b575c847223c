"""Where `charger credentials` was before: kept for scripts."""
