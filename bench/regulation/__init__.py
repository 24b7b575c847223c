"""What bench/control.py is made of."""
