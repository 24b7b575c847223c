"""When charging may start and when it must stop (architecture.md, What is commanded, 2)."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.cppwm_controller.closings import Closings


@dataclass(frozen=True, slots=True)
class StartStopConfig:
    """Figures of rule 2.

    Attributes:
        start_amperage: A, from 0 up at once from here on.
        minimum_amperage: A, from 0 up when allowed for steady_time without a break.
        stop_amperage: A, to 0 at once below this.
        steady_time: s.
        start_hold: s after plug-in, or after a client's own enable.
        restart_hold: s after the last stop.
        present_hold: s after a start of this block with a vehicle present.
        closings_per_hour: contactor closings in any hour.
    """

    start_amperage: float = 6.5
    minimum_amperage: float = 6.0
    stop_amperage: float = 5.95
    steady_time: float = 10.0
    start_hold: float = 5.0
    restart_hold: float = 60.0
    present_hold: float = 10.0
    closings_per_hour: int = 12


class StartStop:
    """Whether to charge, with hysteresis, holds and a bound on contactor closings.

    Attributes:
        closings: of the contactor, within the last hour.
    """

    def __init__(self, config: StartStopConfig) -> None:
        self._config = config
        self._connected: bool | None = None
        self._running = False
        self._hold_until = float('-inf')
        self._present_until = float('-inf')
        self._steady_since: float | None = None
        self.closings = Closings(config.closings_per_hour)

    @property
    def running(self) -> bool:
        """Whether charging is wanted since the last step."""
        return self._running

    def step(self, now: float, allowed: float, *, connected: bool | None, closed: bool | None,
             own_enable: bool) -> tuple[bool, str]:
        """One tick.

        Args:
            now: s.
            allowed: A per phase, the least of all limits and the team's answer.
            connected: whether a vehicle is plugged in; None: not known now.
            closed: whether the contactor is closed; None: not known now.
            own_enable: a client has just lifted the limit that had stopped charging.

        Returns:
            Whether to charge, and why not, in words ('' if the limits alone say so).
        """
        config = self._config
        closings = self.closings
        closings.step(now, closed)
        if connected is not None and connected != self._connected:
            if connected and self._connected is None:
                self._present_until = now + config.present_hold
            self._hold_until = now + config.start_hold if connected else float('-inf')
            self._connected = connected
        if own_enable:
            self._hold_until = min(self._hold_until, now + config.start_hold)
        if allowed < config.minimum_amperage:
            self._steady_since = None
        elif self._steady_since is None:
            self._steady_since = now

        worn = closings.too_many and not closings.closed
        if self._running:
            if not connected or allowed < config.stop_amperage or worn:
                self._running = False
                self._hold_until = max(self._hold_until, now + config.restart_hold)
                if connected is False:
                    self._hold_until = float('-inf')
            return self._running, self._wear() if worn else ''
        if not connected or self._steady_since is None:
            return False, ''
        if worn:
            return False, self._wear()
        hold = max(self._hold_until, self._present_until) - now
        if hold > 0.0:
            return False, f'waiting {hold:.0f} s before a start'
        if allowed < config.start_amperage and now - self._steady_since < config.steady_time:
            return False, f'{allowed:.1f} A must hold for {config.steady_time:.0f} s before a start'
        self._running = True
        return True, ''

    def _wear(self) -> str:
        return f'the contactor closed {self.closings.count} times within an hour'
