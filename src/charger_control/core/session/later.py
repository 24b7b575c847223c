"""What is learned of a session after it has ended: its last energy, and when it was."""

from __future__ import annotations

import math
from dataclasses import replace

from charger_control.core.heard import Heard
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.moment import Moment
from charger_control.core.power import PHASE_ACTIVE_AMPERAGE
from charger_control.core.session.energy import SessionEnergy
from charger_control.core.session.times import repaired
from charger_control.core.session.types import SessionRecord

MOST_UNTIMED = 50
"""Ended sessions whose times wait to be set right; those of older ones stay as they are."""
RESOLUTION = 0.001
"""kWh from which a register has moved."""


def last_word_said(now: float, ending: float, meter: Heard[MeterReading] | None,
                   finish_time: float) -> bool:
    """Whether the meter has said its last word on a session whose vehicle is gone.

    Args:
        now: s.
        ending: s, since when it is gone.
        meter: its newest reading.
        finish_time: s that are waited for it at the most.
    """
    if now - ending >= finish_time:
        return True
    return (meter is not None and meter.at >= ending
            and not any(a >= PHASE_ACTIVE_AMPERAGE for a in meter.value.amperage))


class Later:
    """Corrections of ended sessions.

    A meter that was silent when a session ended tells its last energy when it speaks again: what
    the register has moved belongs to that session. If the next vehicle was offered current in
    between, the two cannot be told apart; so such a session is not billable.
    """

    def __init__(self, max_silence: float) -> None:
        """``max_silence``: s of silence of the meter up to which its last word was the last."""
        self._max_silence = max_silence
        self._silent: tuple[SessionRecord, SessionEnergy] | None = None
        self._untimed: tuple[SessionRecord, ...] = ()

    def restore(self, ended: tuple[SessionRecord, ...]) -> None:
        """Takes recent sessions that have ended, as they were stored."""
        self._untimed = tuple(r for r in ended[-MOST_UNTIMED:] if r.began is not None
                              and not math.isnan(r.transaction.ended_time))

    def ended(self, record: SessionRecord, energy: SessionEnergy) -> None:
        """Notes a session that has ended, and its register then."""
        silent = record.register_age > self._max_silence
        waits = silent and not math.isnan(record.transaction.meter_stop)
        self._silent = (record, energy) if waits else None
        if record.began is not None and not record.began.trusted:
            self._untimed = (*self._untimed[1 - MOST_UNTIMED:], record)

    def step(self, present: Moment, meter: Heard[MeterReading] | None) -> list[SessionRecord]:
        """What is to be stored again."""
        records: list[SessionRecord] = []
        if meter is not None and meter.silence(present.now) <= self._max_silence:
            records += self._last_word(present.now, meter.value)
        if present.trusted and self._untimed:
            right = (repaired(record, present) for record in self._untimed)
            records += [record for record in right if record is not None]
            self._untimed = ()
        return records

    def _last_word(self, now: float, reading: MeterReading) -> list[SessionRecord]:
        if self._silent is None or not math.isfinite(reading.energy_imported):
            return []
        record, energy = self._silent
        if energy.other_meter(reading):
            self._silent = None
            return []
        before = energy.value
        taken = energy.take(now, reading)
        if not taken.believed:
            return []
        self._silent = None
        if taken.shift is not None or energy.value - before < RESOLUTION:
            return []
        late = replace(record, transaction=replace(
            record.transaction, meter_stop=energy.value, billable=False))
        self._untimed = tuple(late if r is record else r for r in self._untimed)
        return [late]
