"""Switching of phases, the pilot's longest sequence (domain.md 1.8).

It says at every tick what the pilot must be; the block puts it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from charger_control.core.iso61851.raw.types import Event, EventKind, RawReading


class Stage(Enum):
    """Where the switching of phases is."""

    IDLE = 'idle'
    STOP = 'the vehicle is asked to stop'
    DARK = 'state F, the relay switches'


@dataclass(frozen=True, slots=True)
class PhaseConfig:
    """Figures of switching between one and three phases.

    Attributes:
        possible: the contactor can switch L2 and L3 apart from L1.
        hold: s of state F. Long, because some vehicles notice a change only then.
        loaded_hold: s of it when the contactor opened while the vehicle was in C.
        up_delay: s for which three phases must be wished while one is on.
        relay_time: s for which the contactor must be open before.
    """

    possible: bool = False
    hold: float = 45.0
    loaded_hold: float = 60.0
    up_delay: float = 60.0
    relay_time: float = 0.1


class PhaseSwitch:
    """Changes the phases of a vehicle that has seen them: stop, open, F, switch, hold, offer."""

    def __init__(self, config: PhaseConfig) -> None:
        self._config = config
        self.stage = Stage.IDLE
        self.phases = 0
        """What to order now; 0 before the first step."""
        self._target = 0
        self._hold = config.hold
        self._dark_since = 0.0
        self._up_since: float | None = None

    def step(self, now: float, wish: int, raw: RawReading, *, seen: bool) -> list[Event]:
        """One tick; the result is in ``stage`` and ``phases``.

        Args:
            now: s.
            wish: 1 or 3; 0: nobody says, so what is stays.
            raw: the last reading.
            seen: the vehicle has had mains since it was connected.
        """
        if not self.phases or not self._config.possible:
            self.phases = self._target = raw.phases
        if self._config.possible and self.stage is Stage.IDLE:
            return self._idle(now, wish, raw, seen)
        if self.stage is Stage.STOP:
            self._stop(now, raw)
        elif self.stage is Stage.DARK:
            self.phases = self._target
            if now - self._dark_since >= self._hold and raw.phases == self._target:
                self.stage = Stage.IDLE
                return [Event(now, EventKind.PHASES_DONE, f'{self._target}')]
        return []

    def _idle(self, now: float, wish: int, raw: RawReading, seen: bool) -> list[Event]:
        # in S, E and F nobody knows whose vehicle would see the change
        if wish not in (1, 3) or wish == self._target or raw.letter not in {'A', 'B', 'C', 'D'}:
            self._up_since = None
            return []
        if not seen and not raw.contactor:
            self.phases = self._target = wish
            return []
        if self._up_since is None:
            self._up_since = now
        if wish == 3 and now - self._up_since < self._config.up_delay:
            return []
        event = Event(now, EventKind.PHASES, f'{self._target} to {wish}')
        self._target, self._up_since, self.stage = wish, None, Stage.STOP
        self._stop(now, raw)
        return [event]

    def _stop(self, now: float, raw: RawReading) -> None:
        if raw.letter == 'A':
            self.phases, self.stage = self._target, Stage.IDLE
            return
        if (not raw.contactor and raw.feedback is not True
                and now - raw.opened_at >= self._config.relay_time):
            self.stage, self._dark_since = Stage.DARK, now
            in_c = raw.letter in {'C', 'D'}
            self._hold = self._config.loaded_hold if in_c else self._config.hold
