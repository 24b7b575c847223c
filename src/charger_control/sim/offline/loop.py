"""Controller, pilot control and plant in one loop, offline: explicit time, no processes, no ROS.

The order of the live graph: devices live on at 20 Hz; a sample of the meter ticks the controller at
once, as does a new state of the pilot; else it ticks at 10 Hz; the pilot control ticks at 20 Hz and
at once when less is available. One call of ``step`` is 50 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from charger_control.core.cppwm_controller import Allocation, Controller, ControllerConfig, Result
from charger_control.core.fiscal_meter import FiscalMeter, FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.iso61851.signal import SignalConfig
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.offline.links import BoardLink, LinkParameters, MeterLink
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import EvParameters, Phases
from charger_control.sim.plant.mains import MainsParameters
from charger_control.sim.plant.plant import Plant, PlantParameters

TICK = 0.05
"""s, one step."""
_CONTROL_EVERY = 2
_LIMITS_EVERY = 20
_REPEAT = 0.2

QUIET_MAINS = PlantParameters(MainsParameters(voltage_noise=0.0, frequency_noise=0.0))


@dataclass(frozen=True, slots=True)
class LoopParameters:
    """What the loop is made of.

    Attributes:
        hw_amperage: A, the HW limit.
        cable_amperage: A, rating of the cable that a vehicle comes with; it bounds the signal.
        board_step: A, the least change the board can signal: 1, or 0.01 and its multiples.
        controller: figures of the controller; its meter_period is set to the meter's refresh.
        links: times of the way to board and meter.
        meter: the meter's own refresh time, noise and resolution.
        plant: mains, contactor, register.
        seed: of all noise.
    """

    hw_amperage: float = 32.0
    cable_amperage: float = 32.0
    board_step: float = 0.01
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    links: LinkParameters = field(default_factory=LinkParameters)
    meter: MeterParameters = field(default_factory=MeterParameters)
    plant: PlantParameters = field(default_factory=lambda: QUIET_MAINS)
    seed: int = 0


class Station:
    """Plant, board and meter with the way to them; what decides is somewhere else.

    Attributes:
        now: s.
        plant, board, meter: the devices.
    """

    def __init__(self, parameters: LoopParameters) -> None:
        self.now = 0.0
        self._parameters = parameters
        self._ticks = 0
        self.plant = Plant(parameters.plant, seed=parameters.seed)
        self.board = BoardLink(self.plant, parameters.board_step, parameters.links, self.now)
        self.meter = MeterLink(self.plant, parameters.meter, parameters.links.meter_lag, self.now,
                               parameters.seed + 1)

    @property
    def ticks(self) -> int:
        """How often it was stepped."""
        return self._ticks

    @property
    def signaled(self) -> float:
        """A per phase that the vehicle is offered now, 0 for none."""
        return self.board.board.offered

    @property
    def amperage(self) -> Phases:
        """A drawn on L1 L2 L3, true."""
        return self.plant.amperage

    def plug_in(self, vehicle: EvParameters | Ev) -> Ev:
        """Plugs a vehicle in, with the cable of the parameters."""
        ev = Ev(vehicle, self.now) if isinstance(vehicle, EvParameters) else vehicle
        self.plant.plug_in(ev, self.now, self._parameters.cable_amperage)
        return ev

    def step(self) -> None:
        """50 ms later: the devices have lived on."""
        self._ticks += 1
        self.now = self._ticks * TICK
        self.plant.step(self.now)
        self.board.step(self.now)
        self.meter.step(self.now)


class Loop:
    """One charge point under control.

    Attributes:
        station: the devices; plug vehicles in here, and break things here.
        limit: A, what a client (the API) allows; NaN: no opinion. Acts at once.
        hw_amperage: A, the HW limit.
        allocation: the team's answer; None: no team manages this charge point.
        result: the controller's last decision.
        pilot: what iso61851 last published.
        reading: what fiscal_meter last published, and when.
    """

    def __init__(self, parameters: LoopParameters | None = None) -> None:
        parameters = parameters or LoopParameters()
        self.station = Station(parameters)
        self.hw_amperage = parameters.hw_amperage
        self.limit = NAN
        self.allocation: Allocation | None = None
        config = replace(parameters.controller, sources=('hw', 'api'),
                         meter_period=parameters.meter.refresh)
        self.controller = Controller(config)
        self.control = CurrentPilotControl(CurrentPilotConfig(
            signal=SignalConfig(step=parameters.board_step)))
        self._cable = parameters.cable_amperage
        self._believer = FiscalMeter(FiscalMeterConfig())
        self._limits = (NAN, NAN)
        self._sampled_at = -1.0
        self._published_at = -1.0
        self.pilot: ControlPilot | None = None
        self.reading: Heard[MeterReading] | None = None
        self.result: Result = self.controller.step(0.0, None)
        self._offered = 0.0

    @property
    def now(self) -> float:
        """s since the start."""
        return self.station.now

    def run(self, duration: float) -> None:
        """``duration`` s later."""
        for _ in range(round(duration / TICK)):
            self.step()

    def step(self) -> None:
        """One step of 50 ms."""
        station = self.station
        station.step()
        self._hear_limits()
        self._hear_meter()
        if station.ticks % _CONTROL_EVERY == 0:
            self._decide()
        self._drive()

    def _hear_limits(self) -> None:
        limits = (min(self.hw_amperage, self._cable), self.limit)
        changed = repr(limits) != repr(self._limits)    # NaN is not equal to itself
        if not changed and self.station.ticks % _LIMITS_EVERY:
            return
        self._limits = limits
        hw = Heard(AmperageLimit(limits[0], 0, 5.0, 0.0, 'fuse and cable'), self.now)
        self.controller.hear_limit('hw', hw)
        self.control.hear_hw(hw)
        self.controller.hear_limit('api', Heard(AmperageLimit(self.limit, reason='set-point'),
                                                self.now))
        if changed:
            self._decide()

    def _hear_meter(self) -> None:
        sample = self.station.meter.latest()
        if sample is None or sample.at <= self._sampled_at:
            return
        self._sampled_at = sample.at
        reading = self._believer.step(self.now, sample, '')
        if reading is not None:
            self.reading = Heard(reading, self.now)
            self.controller.hear_meter(self.reading)
            self.control.hear_meter(self.reading)
            self._decide()

    def _decide(self) -> None:
        self.result = self.controller.step(self.now, self.allocation)
        self.control.hear_available(Heard(self.result.available, self.now))
        if self.result.available.available_amperage < self._offered:
            self._drive()

    def _drive(self) -> None:
        board = self.station.board
        result = self.control.step(self.now, board.latest(), '')
        if result.open_contactor:
            board.open_contactor(self.now)
        board.offer(result.offer, self.now)
        self._offered = result.offer or 0.0
        if result.pilot is not None:
            self._publish(result.pilot)

    def _publish(self, pilot: ControlPilot) -> None:
        before = self.pilot
        if (before is not None and self.now - self._published_at < _REPEAT - 1e-9
                and _said(before) == _said(pilot)):
            return
        self.pilot, self._published_at = pilot, self.now
        self.controller.hear_pilot(Heard(pilot, self.now))
        if (before is None or before.fault != pilot.fault
                or before.charge_controller_status != pilot.charge_controller_status):
            self._decide()


def _said(pilot: ControlPilot) -> tuple[object, ...]:
    return (pilot.charge_controller_status, pilot.signaled_amperage, pilot.fault,
            pilot.contactor_feedback, pilot.error)
