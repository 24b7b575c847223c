"""All simulated hardware of a depot: a charger each, the point of supply with its meter, the story.

One process: the grid meter measures at every moment what all vehicles draw. Each charger is a
`Simulator` on a thread of its own with its own serial line, log and control socket.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import selectors
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.charge_point.control import ControlServer
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions, boottime
from charger_control.sim.depot.grid import GridMeter, GridSupply, loads_of, on_supply
from charger_control.sim.depot.grid_log import GridLog, LogRow
from charger_control.sim.depot.scenario import DepotScenario, DepotStep, checked_step, told
from charger_control.sim.lines.faults import Fault
from charger_control.sim.lines.pty_port import PtyPort
from charger_control.sim.plant.ev_parameters import Phases

PERIOD = 0.2
"""s between two rows of the log."""
MAINS = 230.0
_NEW_BOARD: Mapping[str, int] = {'power_on_current': 0}
"""What the boards of a depot are set up with: nothing is offered before somebody says so."""


@dataclass(frozen=True, slots=True)
class DepotCharger:
    """A charger of the depot.

    Attributes:
        name: in the team.
        link: symlink under which a driver finds its serial line; log, control socket and memory
            lie beside it (`.jsonl`, `.sock`, `.eeprom`).
        phase_map: supply phase (1..3) that feeds its L1, L2, L3.
    """

    name: str
    link: Path
    phase_map: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class DepotOptions:
    """How the simulated depot is built.

    Attributes:
        chargers: all of them.
        grid_link: symlink under which a driver finds the grid meter.
        fuse: A on L1 L2 L3 at the point of supply, for the log.
        scenario: with names of these chargers (`DepotScenario.for_members`).
        log: file of the point of supply, replaced; None: none.
        control: Unix socket that takes steps; None: none.
        kill: what `kill` does with a process's name; ValueError in words.
        end: what `end` does; None: this process ends.
        seed: of all noise.
    """

    chargers: tuple[DepotCharger, ...]
    grid_link: Path
    fuse: Phases
    scenario: DepotScenario = field(default_factory=DepotScenario)
    log: Path | None = None
    control: Path | None = None
    kill: Callable[[str], None] | None = None
    end: Callable[[], None] | None = None
    seed: int = 0


class Depot:
    """The simulated depot. ``run`` lives until ``stop``.

    Attributes:
        supply: the point of supply.

    Raises:
        OSError: a link, a log or a socket cannot be made.
    """

    def __init__(self, options: DepotOptions, say: Callable[[str], None] = lambda text: None
                 ) -> None:
        self._options = options
        self._say = say
        now = self._started_at = boottime()
        self._stop_reason = ''
        self._failures: list[BaseException] = []
        self._steps = iter(options.scenario.steps)
        self._next_step = next(self._steps, None)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._events: list[str] = []
        self._row_at = now
        self.supply = GridSupply(now, options.scenario.other_loads)
        self._meter = GridMeter(self.supply, now, seed=options.seed)
        with contextlib.ExitStack() as undo:
            self._simulators = {}
            for number, charger in enumerate(options.chargers):
                simulator = Simulator(_options_of(charger, options.seed + 100 * number))
                undo.callback(self._end, simulator)
                self._simulators[charger.name] = simulator
            self._port = PtyPort(options.grid_link)
            undo.callback(self._port.pull)
            self._port.plug_in()
            self._selector = selectors.DefaultSelector()
            undo.callback(self._selector.close)
            self._selector.register(self._port, selectors.EVENT_READ, self._read_line)
            self._wake_read, self._wake_write = socket.socketpair()
            undo.callback(self._wake_read.close)
            undo.callback(self._wake_write.close)
            self._wake_write.setblocking(False)
            self._selector.register(self._wake_read, selectors.EVENT_READ,
                                    lambda: self._wake_read.recv(4096))
            if options.control:
                control = ControlServer(options.control, self._selector, self._requested)
                undo.callback(control.close)
            self._log = None
            if options.log:
                self._log = GridLog(options.log, options.fuse, list(self._simulators))
                undo.callback(self._log.close)
            self._undo = undo.pop_all()
        self._threads = [threading.Thread(target=self._run_one, args=(one,), name=name, daemon=True)
                         for name, one in self._simulators.items()]

    def run(self) -> None:
        """Lives until ``stop`` is called (or an ``end`` step comes), then cleans up.

        Raises:
            RuntimeError: the simulator of a charger failed.
        """
        try:
            for thread in self._threads:
                thread.start()
            while not self._stop_reason and not self._failures:
                self._turn()
        finally:
            for simulator in self._simulators.values():
                simulator.stop(self._stop_reason or 'failed')
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join(5.0)
            self._undo.close()
        if self._failures:
            raise RuntimeError('a simulated charger failed') from self._failures[0]

    def stop(self, reason: str) -> None:
        """Ends ``run``; for signal handlers and other threads. Idempotent."""
        self._stop_reason = self._stop_reason or reason
        with contextlib.suppress(OSError):      # full: it wakes anyway; closed: it has ended
            self._wake_write.send(b'.')

    def vehicles(self) -> dict[str, Phases]:
        """A that the vehicle at each charger draws, on the charger's own phases."""
        return {name: simulator.charge_point.plant.amperage
                for name, simulator in self._simulators.items()}

    # -- the loop --------------------------------------------------------------------------------
    def _turn(self) -> None:
        step = self._next_step
        due = min(self._row_at, self._meter.due(), self._later[0][0] if self._later else math.inf,
                  self._started_at + step.at if step else math.inf)
        ready = self._selector.select(max(0.0, due - boottime()))
        for key, _ in ready:
            key.data()
        self._live(boottime())

    def _live(self, now: float) -> None:
        while self._later and now >= self._later[0][0]:
            heapq.heappop(self._later)[2]()
        while self._next_step and now >= self._started_at + self._next_step.at:
            step, self._next_step = self._next_step, next(self._steps, None)
            try:
                self._do(step, now)
            except ValueError as error:
                self._say(f'scenario line {step.line}: {error}')
        drawn = self.vehicles()
        self.supply.step(now, _sum(
            on_supply(drawn[c.name], c.phase_map) for c in self._options.chargers))
        data = self._meter.step(now)
        if data:
            self._port.write(data)
        if now >= self._row_at:
            self._row_at = max(self._row_at + PERIOD, now)
            self._write_row(now, drawn)

    def _write_row(self, now: float, drawn: Mapping[str, Phases]) -> None:
        if self._log is None:
            return
        events, self._events = '; '.join(self._events), []
        self._log.write(LogRow(now - self._started_at, self.supply.amperage,
                               self.supply.other_loads,
                               {name: max(amperes) for name, amperes in drawn.items()},
                               events, now))

    def _read_line(self) -> None:
        self._meter.line.feed(boottime(), self._port.read())

    # -- what happens ----------------------------------------------------------------------------
    def _requested(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request.get('do') == 'query':
            return {'truth': {'amperage': self.supply.amperage, 'chargers': self.vehicles(),
                              'other_loads': self.supply.other_loads}}
        arguments = {key: value for key, value in request.items() if key != 'do'}
        step = checked_step(request.get('do'), arguments)
        story = DepotScenario((step,)).for_members(list(self._simulators), 'control')
        if not story.steps:
            raise ValueError(f'charger {step.chargers}: this depot has '
                             f'{len(self._simulators)} chargers')
        self._do(story.steps[0], boottime())
        return {}

    def _do(self, step: DepotStep, now: float) -> None:
        options, values = self._options, step.arguments
        if step.chargers:
            for name in map(str, step.chargers):
                self._do_one(name, step.action, values, now)
        elif step.action == 'other_loads':
            self.supply.set_other_loads(loads_of(values, options.fuse), values.get('over', 0.0),
                                        now)
        elif step.action == 'lose_grid_meter':
            self._meter.faults.set(Fault('silence', until=now + values.get('for', math.inf)), now)
        elif step.action == 'kill':
            self._kill(values['process'])
        elif options.end is not None:
            options.end()
        else:
            self.stop('end')
        self._events.append(told(step))
        self._say(f'{now - self._started_at:.0f} s: {told(step)}')

    def _do_one(self, name: str, action: str, values: Mapping[str, Any], now: float) -> None:
        if action == 'trip':
            self._trip(name, now + values.get('for', math.inf))
            return
        if action == 'kill':
            self._kill(name)
            return
        try:
            self._simulators[name].do(action, **values)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from None

    def _kill(self, process: str) -> None:
        if self._options.kill is None:
            raise ValueError('kill: nobody knows the processes here')
        self._options.kill(process)

    def _trip(self, name: str, until: float) -> None:
        simulator = self._simulators[name]
        simulator.do('cable_out')   # board and meter are dark: nothing answers on the line
        simulator.do('set_mains', voltage=0.0)
        if until < math.inf:
            heapq.heappush(self._later, (until, next(self._order), lambda: self._reset(name)))

    def _reset(self, name: str) -> None:
        simulator = self._simulators[name]
        simulator.do('set_mains', voltage=MAINS)
        simulator.do('reset_board')
        simulator.do('cable_in')
        self._events.append(f'{name}: breaker closed')
        self._say(self._events[-1])

    def _run_one(self, simulator: Simulator) -> None:
        try:
            simulator.run()
        except BaseException as error:  # noqa: BLE001  it is raised again where it can be seen
            self._failures.append(error)
            self.stop('failed')

    def _end(self, simulator: Simulator) -> None:
        """Cleans up after one that never ran."""
        if simulator.port.connected:
            simulator.stop('end')
            simulator.run()


def _options_of(charger: DepotCharger, seed: int) -> SimulatorOptions:
    link = charger.link
    return SimulatorOptions(
        link=link, log=Path(f'{link}.jsonl'), control=Path(f'{link}.sock'),
        charge_point=ChargePointParameters(
            scenario=Scenario((), board=dict(_NEW_BOARD), description=''), seed=seed,
            eeprom=Path(f'{link}.eeprom')))


def _sum(phases: Iterable[Phases]) -> Phases:
    one = two = three = 0.0
    for a, b, c in phases:
        one, two, three = one + a, two + b, three + c
    return one, two, three

