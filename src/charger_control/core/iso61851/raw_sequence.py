"""The pilot's longer sequences: wake-up and switching of phases (domain.md 1.7, 1.8).

Each says at every tick what the pilot must be; the block puts it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from charger_control.core.iso61851.raw_types import Event, EventKind, RawReading


@dataclass(frozen=True, slots=True)
class WakeUpConfig:
    """Figures of the wake-up.

    Attributes:
        attempts: how often in one offer; 0: never.
        after: s of an offer that the vehicle does not react to.
        time: s of state F at the first attempt (EVerest, WARP: 4).
        long_time: s of it at further ones: some vehicles need 30 (WARP).
        give_up: s after the last wake-up at which it counts as not wanting to charge.
    """

    attempts: int = 2
    after: float = 30.0
    time: float = 4.0
    long_time: float = 30.0
    give_up: float = 10.0


class WakeUp:
    """Wakes a vehicle that stays in B although it has an offer, and has not charged with it yet."""

    def __init__(self, config: WakeUpConfig) -> None:
        self._config = config
        self._forget()

    def _forget(self) -> None:
        self._left = self._config.attempts
        self._since: float | None = None
        self._dark_until: float | None = None
        self._done = False

    def step(self, now: float, *, letter: str, offered: bool, pwm: bool
             ) -> tuple[bool, list[Event]]:
        """One tick.

        Args:
            now: s.
            letter: state of the pilot.
            offered: there is something to offer, and nothing but this sequence in the way.
            pwm: the offer is on the pilot now.

        Returns:
            Whether the pilot is to be in state F, and what happened.
        """
        if not offered:
            self._forget()
            return False, []
        if self._dark_until is not None:
            if now < self._dark_until:
                return True, []
            self._dark_until = self._since = None
        self._done = self._done or letter != 'B'
        if self._since is None and pwm:
            self._since = now
        if self._done or self._since is None:
            return False, []
        return self._wait(now, now - self._since)

    def _wait(self, now: float, waited: float) -> tuple[bool, list[Event]]:
        """The vehicle has not reacted for ``waited`` s."""
        config = self._config
        if self._left > 0 and waited >= config.after:
            time = config.time if self._left == config.attempts else config.long_time
            self._left -= 1
            self._dark_until = now + time
            return True, [Event(now, EventKind.WAKE_UP, f'state F for {time:g} s')]
        if self._left == 0 and waited >= (config.give_up if config.attempts else config.after):
            self._done = True
            return False, [Event(now, EventKind.NOT_WANTED)]
        return False, []


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
