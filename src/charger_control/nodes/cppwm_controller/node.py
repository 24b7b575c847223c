"""The cppwm_controller node: limits, meter, pilot and team in; decision and available out."""

from __future__ import annotations

import math
import secrets
from typing import Any

from charger_control.core.cppwm_controller import (
    Controller,
    ControllerConfig,
    ReachConfig,
    Result,
    wired_phases,
)
from charger_control.core.cppwm_controller.start_stop import StartStopConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage, Decision, Flags
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation
from charger_control.core.moment import Moment
from charger_control.core.pi import PiConfig
from charger_control.core.words import sentence
from charger_control.nodes import team_member
from charger_control.nodes.cppwm_controller.closings import ClosingsKeeper
from charger_control.nodes.cppwm_controller.decision_log import DecisionLog
from charger_control.nodes.team_member import Membership, first_sequence
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    AVAILABLE,
    CHARGING,
    CONTROL_PILOT,
    DECISION,
    LIMIT_SOURCES,
    METER,
    TEAM_ALLOCATION,
    TEAM_REQUEST,
)
from charger_control.ros.node import BlockNode, member_name
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store import Store, moment, store_file

BOOT_TIME = 300.0
"""s after that of the machine, in which a start of this node counts as one after an outage."""
REPEAT = 1.0
"""s after which an unchanged decision is repeated."""

_PI = PiConfig()
_PI_RANGES = (
    ('gain', 'share of a settled error that one step of trim takes away', '', 0.0, 1.0),
    ('dead_band', 'errors up to this are left alone', 'A', 0.0, 2.0),
    ('over_draw', 'above commanded from which trim goes to 0 or below at once', 'A', 0.1, 2.0),
    ('rest', 'time for a vehicle to follow a change of the signal when its answer cannot be seen '
     '(docs/tuning.md)', 's', 0.5, 60.0),
    ('pace', 'time between steps of trim', 's', 0.5, 60.0),
    ('window', 'time for which a measurement must stand still before it counts', 's', 0.1, 60.0),
    ('steady', 'spread of a measurement that stands still', 'A', 0.02, 2.0),
    ('drawing', 'a vehicle that draws less does not charge', 'A', 0.2, 3.0),
    ('limit_pause', 'time for which a vehicle at its own limit is not asked for more', 's', 10.0,
     86_400.0))
"""Field of PiConfig, what it does, unit, least and largest value; PiConfig has its default."""

PARAMS = (
    Param('rate', 10.0, 'ticks of control', 'Hz', low=3.0, high=50.0),
    Param('sources', ['hw', 'smart_charging', 'api'], 'limit sources; nothing is offered before '
          'each has spoken', choices=tuple(LIMIT_SOURCES)),
    Param('has_phase_shutoff', False, 'this charge point can switch to one phase'),
    Param('closed_loop', True, 'the meter has phase currents to regulate on; false: open loop, '
          'available = commanded'),
    Param('meter_period', 0.2, 'time between two samples of the meter', 's', low=0.02, high=30.0),
    Param('meter_lag', 1.0, "how old a current may be that the meter has just measured: its own "
          'averaging, and the line. With meter_period more than 2 s: vehicles count on all phases '
          'that are wired', 's', low=0.0, high=30.0),
    Param('phases_learned', 60.0, 'charging without a phase for as long, that phase is free for '
          'others until the vehicle draws on it', 's', low=10.0, high=3600.0),
    Param('meter_silent', 3.0, 'silence of the meter until trim is frozen (or 2.5 periods)', 's',
          low=0.1, high=60.0),
    Param('meter_lost', 11.0, 'silence of the meter until at most 6 A (or 4 periods)', 's',
          low=0.1, high=300.0),
    Param('meter_gone', 60.0, 'silence of the meter until 0 A (or 20 periods)', 's', low=0.1,
          high=900.0),
    Param('pilot_silence', 2.0, 'silence of the control pilot until 0 A, Faulted', 's', low=0.2,
          high=10.0),
    Param('own_trim', 2.0, 'what the PI may add when no team manages this charger', 'A', low=0.0,
          high=6.0),
    Param('installed_amperage', 32.0, 'what the board may be offering by itself while it was not '
          'heard since the start, as the team must count it: no more than hw_limit.fuse', 'A',
          low=6.0, high=80.0),
    Param('fall_time', 6.0, 'what a vehicle may take to obey a lower signal', 's', low=0.5,
          high=30.0),
    Param('start_amperage', 6.5, 'from 0 up at once from here on', 'A', low=6.0, high=32.0),
    Param('steady_time', 10.0, 'or at 6 A and more, held for this long', 's', low=0.0, high=600.0),
    Param('start_hold', 5.0, "wait after plug-in or a client's own enable", 's', low=0.0,
          high=600.0),
    Param('restart_hold', 60.0, 'wait after the last stop', 's', low=0.0, high=3600.0),
    Param('present_hold', 10.0, 'wait after a start of this node with a vehicle present', 's',
          low=0.0, high=600.0),
    Param('random_delay', 600.0, 'longest random wait after the supply came back, so that a street '
          'does not start as one; 0: none', 's', low=0.0, high=1800.0),
    Param('closings_per_hour', 12, 'contactor closings allowed in any hour', low=1, high=60),
    *(Param(f'pi.{name}', getattr(_PI, name), about, unit, low=low, high=high)
      for name, about, unit, low, high in _PI_RANGES),
    *team_member.PARAMS,
    Param('state_dir', '', "where the number of starts and the contactor's closings are kept; "
          'empty: ~/.local/state/charger_control/<namespace>'),
)


def config_of(values: dict[str, Any]) -> ControllerConfig:
    """The block's configuration from the parameters; ValueError for a bad combination."""
    team_member.check(values)
    return ControllerConfig(
        sources=tuple(values['sources']), has_phase_shutoff=values['has_phase_shutoff'],
        closed_loop=values['closed_loop'],
        meter_period=values['meter_period'], meter_silent=(values['meter_silent'], 2.5),
        meter_lost=(values['meter_lost'], 4.0), meter_gone=(values['meter_gone'], 20.0),
        pilot_silence=values['pilot_silence'],
        own_trim=values['own_trim'], fall_time=values['fall_time'],
        installed_amperage=values['installed_amperage'], random_delay=values['random_delay'],
        wired=wired_phases(tuple(values['team.phase_map'])),
        reach=ReachConfig(steady_time=values['phases_learned'],
                          meter_delay=values['meter_period'] + values['meter_lag']),
        start_stop=StartStopConfig(
            start_amperage=values['start_amperage'], steady_time=values['steady_time'],
            start_hold=values['start_hold'], restart_hold=values['restart_hold'],
            present_hold=values['present_hold'], closings_per_hour=values['closings_per_hour']),
        pi=PiConfig(**{name: values[f'pi.{name}'] for name, *_ in _PI_RANGES}))


class CppwmController(BlockNode):
    """Ticks the controller; a lower limit, a pilot state or a measurement ticks it at once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('cppwm_controller', PARAMS, **kwargs)
        self._controller = Controller(
            self.checked(config_of), seed=secrets.randbits(64),
            after_outage=not self._simulated and self.now() < BOOT_TIME)
        self._pilot: ControlPilot | None = None
        self._decided_at = -math.inf
        self._log = DecisionLog()
        self._result: Result | None = None
        self._publish_decision = self.publisher(DECISION)
        self._publish_available = self.publisher(AVAILABLE)
        self._publish_charging = self.publisher(CHARGING)
        for source in self._controller.sources:
            self.hear(LIMIT_SOURCES[source],
                      lambda heard, source=source: self._on_limit(source, heard))
        store = Store(store_file(self.values['state_dir'], self.get_namespace()),
                      clock=self._simulated_moment if self._simulated else moment)
        self._store = store
        self._closings = ClosingsKeeper(store, self._controller.closings)
        self._membership = self._join(store) if self.values['team.managed'] else None
        self.hear(METER, self._on_meter)
        self.hear(CONTROL_PILOT, self._on_pilot)
        self.every(self.values['rate'], self._tick)

    def _simulated_moment(self) -> Moment:
        return Moment('', self.now(), self.wall(), True)

    def _join(self, store: Store) -> Membership:
        sequence = first_sequence(store, self.wall())
        self.hear(TEAM_ALLOCATION, self._on_allocation)
        return Membership(self.values, member_name(self.values['team.member'],
                                                   self.get_namespace()),
                          self.now(), sequence, self.publisher(TEAM_REQUEST))

    # -- inputs ----------------------------------------------------------------------------------
    def _on_limit(self, source: str, heard: Heard[AmperageLimit]) -> None:
        self._controller.hear_limit(source, heard)
        decision = None if self._result is None else self._result.decision
        if decision is None or heard.value.amperage < decision.effective_amperage_limit:
            self._step()

    def _on_meter(self, heard: Heard[MeterReading]) -> None:
        self._controller.hear_meter(heard)
        self._step()

    def _on_pilot(self, heard: Heard[ControlPilot]) -> None:
        self._controller.hear_pilot(heard)
        before, self._pilot = self._pilot, heard.value
        if before is None or _state(before) != _state(heard.value):
            self._step()

    def _on_allocation(self, heard: Heard[TeamAllocation]) -> None:
        assert self._membership is not None  # subscribed only by _join
        if self._membership.hear(heard):
            self._step()

    # -- the tick --------------------------------------------------------------------------------
    def _tick(self) -> None:
        """One step at the rate, and what flows: that topic keeps its rate whatever steps early."""
        self._publish_charging(self._step().charging)

    def _step(self) -> Result:
        now = self.now()
        team_member = self._membership
        result = self._controller.step(now, team_member and team_member.allocation(now))
        before = None if self._result is None else self._result.decision
        self._result = result
        self._closings.keep(now)
        self._publish_available(result.available)
        if result.decision != before or now - self._decided_at >= REPEAT:
            self._decided_at = now
            self._publish_decision(result.decision)
        pilot = self._live_pilot(result.decision)
        said = self._log.note(now, result.decision, pilot)
        if said:
            self.get_logger().info(said)
        if team_member is not None:
            team_member.ask(now, result, pilot)
        return result

    def _live_pilot(self, decision: Decision) -> ControlPilot | None:
        return None if decision.flags & Flags.PILOT_SILENT else self._pilot

    def make_safe(self, why: str) -> None:
        """Nothing is offered."""
        self._publish_available(AvailableAmperage(0.0, 0.0, False))
        self._publish_decision(Decision(reason=why))

    def health(self) -> list[Health]:
        """The decision and what is wrong with its inputs."""
        if self._result is None:
            return [Health('decision', Level.WARN, 'no tick yet')]
        decision = self._result.decision
        flags = Flags(decision.flags)
        bad = Flags.METER_GONE | Flags.PILOT_SILENT | Flags.SECOND_PUBLISHER
        odd = flags & ~(Flags.HOLD | Flags.OPEN_LOOP | Flags.NO_VEHICLE | Flags.FAULT)
        level = Level.ERROR if flags & bad else Level.WARN if odd else Level.OK
        values = {'commanded_amperage': f'{decision.commanded_amperage:.2f}',
                  'limit_source': decision.limit_source,
                  'flags': '|'.join(f.name or '' for f in flags)}
        for name, source in self._controller.sources.items():
            values[f'{name}.refused'] = str(source.refused)
        return [Health('decision', level, sentence(decision, self._live_pilot(decision)), values),
                self._closings.health(self.now())]

    def close(self) -> None:
        """Has what waits written, closes the store."""
        self._store.close()


def _state(pilot: ControlPilot) -> tuple[str, str]:
    return pilot.charge_controller_status, pilot.fault


def main() -> int:
    """Runs the node in its own process."""
    return run([CppwmController])
