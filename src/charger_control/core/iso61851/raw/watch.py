"""What a RawPilot's block remembers of one vehicle, and the events that come of it."""

from __future__ import annotations

from charger_control.core.iso61851.raw.types import STEADY_LOW, Event, EventKind, RawReading, is_pwm

DISCONNECTED = 'EvDisconnect'
PULL_TIME = 0.5
"""s for which a contactor that has opened counts as closed, to tell what it opened for."""
_PRESENT = frozenset('BCD')
_LIVE = frozenset('CD')


class RawWatch:
    """Compares each reading with the last.

    Attributes:
        simplified: the vehicle went from A to C without an offer: it has no S2.
        seen_mains: the contactor was closed since this vehicle was connected.
        pulled: the last vehicle was disconnected under load, and none is connected since.
    """

    def __init__(self) -> None:
        self.simplified = False
        self.seen_mains = False
        self.pulled = False
        self._before: RawReading | None = None
        self._closed_at = float('-inf')
        self._letter = 'S'
        self._fault = ''

    def step(self, now: float, raw: RawReading) -> list[Event]:
        """Takes a reading; what is new in it."""
        before = self._before or RawReading('S', trips=raw.trips)
        self._before = raw
        events = []
        if raw.trips != before.trips:
            events.append(Event(now, EventKind.TRIPPED, raw.trip))
        if raw.duty != STEADY_LOW and is_pwm(raw.duty) != is_pwm(before.duty):
            events.append(Event(now, EventKind.OFFERED if is_pwm(raw.duty)
                                else EventKind.WITHDRAWN))
        elif is_pwm(before.duty) and raw.duty == STEADY_LOW:
            events.append(Event(now, EventKind.WITHDRAWN))
        if raw.contactor:
            self._closed_at = now
            self.seen_mains = True
        if raw.contactor != before.contactor:
            kind = EventKind.CLOSED if raw.contactor else EventKind.OPENED
            events.append(Event(now, kind, f'in {raw.letter}'))
        return events + self._compare_letters(now, raw)

    def charging(self, now: float) -> bool:
        """Whether the contactor is closed, or was until just now."""
        return now - self._closed_at <= PULL_TIME

    def fault(self, now: float, fault: str) -> list[Event]:
        """Takes the fault in force; an event if it is another."""
        before, self._fault = self._fault, fault
        if fault == before:
            return []
        return [Event(now, EventKind.FAULT if fault else EventKind.FAULT_GONE, fault or before)]

    def _compare_letters(self, now: float, raw: RawReading) -> list[Event]:
        before, letter = self._letter, raw.letter
        self._letter = letter
        if letter == before:
            return []
        events = []
        if letter == 'A':
            self.pulled = self.charging(now)
            self.simplified = False
            self.seen_mains = False
            if before != 'S':
                events.append(Event(now, EventKind.DISCONNECTED,
                                    DISCONNECTED if self.pulled else ''))
        elif letter in _PRESENT and before not in _PRESENT:
            self.pulled = False
            # of a vehicle that was there before us nobody knows what it has seen
            self.seen_mains = self.seen_mains or before != 'A'
            events.append(Event(now, EventKind.CONNECTED))
            if before == 'A' and letter in _LIVE and not is_pwm(raw.duty):
                self.simplified = True
                events.append(Event(now, EventKind.SIMPLIFIED))
        if letter in _LIVE and before not in _LIVE:
            events.append(Event(now, EventKind.READY, letter))
        elif letter not in _LIVE and before in _LIVE:
            events.append(Event(now, EventKind.NOT_READY))
        return events
