"""OpenEVSE, RAPI."""
