"""The figures of the CPPWM controller."""

from __future__ import annotations

from dataclasses import dataclass, field

from charger_control.core.cppwm_controller.reach import ALL, ReachConfig
from charger_control.core.cppwm_controller.start_stop import StartStopConfig
from charger_control.core.pi import PiConfig


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """Figures of the controller; each is a parameter of the node.

    Attributes:
        sources: names of the limit sources; nothing is offered before each was heard once.
        has_phase_shutoff: this charge point can switch to one phase; else only the HW limit, which
            knows what is wired, says how many there are.
        closed_loop: the meter has phase currents to regulate on.
        meter_period: s between two samples of the meter.
        meter_silent, meter_lost, meter_gone: s and periods (the longer counts) of meter silence
            until trim is frozen / 6 A at most / 0 A.
        pilot_silence: s until the control pilot counts as lost.
        own_trim: A that the PI may add when no team manages this charge point.
        fall_time: s that a vehicle may take to obey a lower signal.
        installed_amperage: A, what the board may offer by itself while nothing is known of it.
        valid_for: s for which an available_amperage counts.
        random_delay: s, the longest random wait after the supply came back.
        wired: bit mask of the own phases that are wired: 1 L1, 2 L2, 4 L3.
        reach: what is learned of the phases of a vehicle.
    """

    sources: tuple[str, ...] = ('hw', 'api')
    has_phase_shutoff: bool = False
    closed_loop: bool = True
    meter_period: float = 0.2
    meter_silent: tuple[float, float] = (3.0, 2.5)
    meter_lost: tuple[float, float] = (11.0, 4.0)
    meter_gone: tuple[float, float] = (60.0, 20.0)
    pilot_silence: float = 2.0
    own_trim: float = 2.0
    fall_time: float = 6.0
    installed_amperage: float = 32.0
    valid_for: float = 1.0
    random_delay: float = 600.0
    wired: int = ALL
    reach: ReachConfig = field(default_factory=ReachConfig)
    start_stop: StartStopConfig = field(default_factory=StartStopConfig)
    pi: PiConfig = field(default_factory=PiConfig)

    def meter_limits(self) -> tuple[float, float, float]:
        """The three silences of the meter in s."""
        steps = (self.meter_silent, self.meter_lost, self.meter_gone)
        silent, lost, gone = (max(s, n * self.meter_period) for s, n in steps)
        return silent, lost, gone
