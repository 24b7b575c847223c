"""An instant on a machine's two clocks, and the time between two of them across a restart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from charger_control.core.units import NAN


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, written down so that the time since then can be told after a restart.

    Attributes:
        boot: identity of this start of the machine; '' if it has none.
        now: s since that start, on a clock that counts through suspend.
        wall: unix s.
        trusted: the wall clock is known to be right.
    """

    boot: str
    now: float
    wall: float
    trusted: bool


def elapsed(earlier: Moment, later: Moment) -> float:
    """s between two moments; NaN where it cannot be told.

    Within one start of the machine the wall clock is not looked at: a step of it changes nothing.
    Across starts both readings of it must be trusted.
    """
    if earlier.boot and earlier.boot == later.boot:
        return later.now - earlier.now if later.now >= earlier.now else NAN
    if earlier.trusted and later.trusted and later.wall >= earlier.wall:
        return later.wall - earlier.wall
    return NAN


def proven(earlier: Moment, beat: Moment | None, later: Moment) -> tuple[float, bool]:
    """The time that has certainly passed, and whether that is all of it.

    Args:
        earlier: when it began.
        beat: the last moment that is known of in between, if any.
        later: the present.

    Returns:
        s, never more than truly passed while the clocks tell the truth; False: more may have.
    """
    whole = elapsed(earlier, later)
    if not math.isnan(whole):
        return whole, True
    until_beat = elapsed(earlier, beat) if beat is not None else NAN
    if beat is None or math.isnan(until_beat):
        return 0.0, False
    since_beat = elapsed(beat, later)
    return (until_beat, False) if math.isnan(since_beat) else (until_beat + since_beat, True)
