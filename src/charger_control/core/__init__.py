"""Decisions: pure functions and state machines of every block. No rclpy, no I/O, no clock.

Time comes in as ``now``, seconds on a clock that only moves forward (CLOCK_BOOTTIME, or simulated
time), and as ``wall``, unix seconds, only where schedules and stamps need it.
"""
