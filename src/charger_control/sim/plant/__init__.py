"""What a board holds and feels: vehicle, control-pilot line, contactor, mains."""
