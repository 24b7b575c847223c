"""When a session began and ended, told by a wall clock that may be set in between.

Within one start of the machine the clock that counts since boot says how long a session lasted.
The wall clock says when it was, once it is known to be right.
"""

from __future__ import annotations

from dataclasses import replace

from charger_control.core.moment import Moment, elapsed
from charger_control.core.session.types import SessionRecord


def set_right(past: Moment, present: Moment) -> Moment:
    """``past`` as the wall clock of now says, where that of then was not known to be right."""
    if past.trusted or not present.trusted or not past.boot or past.boot != present.boot:
        return past
    return replace(past, wall=present.wall - (present.now - past.now), trusted=True)


def ended_time(began: Moment, ended: Moment) -> float:
    """Unix s of the end: never before it began, and right after it by the clock since boot."""
    lasted = elapsed(began, ended)
    if lasted >= 0.0:
        return began.wall + lasted
    return max(began.wall, ended.wall)


def stored_end(record: SessionRecord) -> float:
    """Unix s at which a stored session was last known to go on."""
    return ended_time(record.began or record.saved, record.saved)


def repaired(record: SessionRecord, present: Moment) -> SessionRecord | None:
    """A record whose times can be set right now; None where there is nothing to do."""
    began = record.began
    if began is None:
        return None
    right = set_right(began, present)
    if right is began:
        return None
    shift = right.wall - began.wall
    transaction = record.transaction
    return replace(record, began=right, transaction=replace(
        transaction, started_time=transaction.started_time + shift,
        ended_time=transaction.ended_time + shift))
