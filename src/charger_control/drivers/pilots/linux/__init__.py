"""A single-board computer's own PWM, ADC and GPIO."""
