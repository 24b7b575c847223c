"""Control-pilot boards as their manuals and firmware have them."""
