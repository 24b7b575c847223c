"""What the machine knows of its clocks: which start this is, whether the wall clock is right."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from pathlib import Path

from charger_control.core.moment import Moment

BOOT_ID = Path('/proc/sys/kernel/random/boot_id')
_TIMEX_SIZE = 512
"""bytes, more than any struct timex; all zero asks without setting (modes = 0)."""
_TIME_ERROR = 5
"""What adjtimex(2) answers while the clock is not synchronised."""


@cache
def boot_id() -> str:
    """Identity of this start of the machine; '' where the system has none."""
    try:
        return BOOT_ID.read_text(encoding='ascii').strip()
    except OSError:
        return ''


def synchronised() -> bool:
    """Whether the kernel says that something (NTP, PTP) keeps the wall clock right since boot."""
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    except (OSError, AttributeError):
        return False
    return 0 <= int(answer) < _TIME_ERROR


def moment() -> Moment:
    """The present, on the machine's clocks."""
    return Moment(boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), synchronised())
