"""The simulated charger with its cables: pty, control socket, scenario, and their loop."""

from __future__ import annotations

import contextlib
import math
import queue
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.charge_point.actions import checked, fault_end
from charger_control.sim.charge_point.api_client import put_limits
from charger_control.sim.charge_point.charge_point import ChargePoint
from charger_control.sim.charge_point.control import ControlServer
from charger_control.sim.charge_point.simulator_options import SimulatorOptions, port_of
from charger_control.sim.lines.direct_cable import DirectCable

__all__ = ['Simulator', 'SimulatorOptions', 'boottime', 'running']

Clock = Callable[[], float]


def boottime() -> float:
    """s on CLOCK_BOOTTIME: it counts through a suspend and no clock step touches it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Simulator:
    """The simulated charger. ``run`` lives until ``stop``; ``do`` and ``truth`` work meanwhile.

    Attributes:
        log: its events.
        port: the serial cable.
        charge_point: what hangs on it; only for the thread that runs, others use ``do``.

    Raises:
        OSError: the link, the log or the control socket cannot be made.
        ValueError: a step of the scenario needs what was not given.
    """

    def __init__(self, options: SimulatorOptions, clock: Clock = boottime) -> None:
        scenario = options.charge_point.scenario
        for step in scenario.steps:
            if step.action == 'put_limits' and not options.api:
                raise ValueError(f'scenario line {step.line}: put_limits needs --api URL')
        self._options = options
        self._clock = clock
        self._lock = threading.RLock()
        self._stop_reason = ''
        self._cable_in_at = math.inf
        self._baudrate_told = False
        self._answers: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
        self._started_at = clock()
        self._random = random.Random(options.charge_point.seed)
        self._steps = iter(scenario.steps)
        self._next_step = next(self._steps, None)
        with contextlib.ExitStack() as undo:
            self.port = port_of(options)
            undo.callback(self.port.pull)
            self.port.plug_in()
            self.log = BoardLog(options.log)
            undo.callback(self.log.close)
            self._selector = selectors.DefaultSelector()
            undo.callback(self._selector.close)
            self._wake_read, self._wake_write = socket.socketpair()
            undo.callback(self._wake_read.close)
            undo.callback(self._wake_write.close)
            self._wake_read.setblocking(False)
            self._wake_write.setblocking(False)
            self._control: ControlServer | None = None
            if options.control:
                self._control = ControlServer(options.control, self._selector, self._requested)
                undo.callback(self._control.close)
                self.log.listen(self._control.tell)
            clock_name = 'CLOCK_BOOTTIME' if clock is boottime else 'simulated'
            self.log.write(self._started_at, 'start', clock=clock_name, wall=time.time(),
                           monotonic=time.monotonic(), seed=options.charge_point.seed,
                           link=str(options.link or ''), pty=self.port.name)
            self.charge_point = ChargePoint(options.charge_point, self.log, self._started_at)
            self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
            self._watch_cable()
            self._undo = undo.pop_all()

    def run(self) -> None:
        """Lives until ``stop`` is called (or an ``end`` step comes), then cleans up."""
        try:
            while not self.stopped:
                self._turn()
        finally:
            self.close()

    def poll(self) -> None:
        """Lives up to the present; for who turns it by himself instead of ``run``."""
        with self._lock:
            self._answer(self._selector.select(0.0))

    def exchange(self, request: bytes) -> bytes:
        """What the devices answer at once to bytes on the line, where it is in this process."""
        with self._lock:
            now = self._clock()
            self._send(self.charge_point.step(now))
            if not self.port.connected:
                return b''
            self.charge_point.feed(now, request)
            self._send(self.charge_point.step(now))
            return self.port.read()

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called, or the scenario has ended."""
        return bool(self._stop_reason)

    def close(self) -> None:
        """Writes the log's end and cleans up."""
        with self._lock:
            self.log.write(self._clock(), 'end', reason=self._stop_reason or 'failed')
            self._undo.close()

    def stop(self, reason: str) -> None:
        """Ends ``run``; for signal handlers and other threads. Idempotent."""
        self._stop_reason = self._stop_reason or reason
        self._wake()

    def do(self, action: str, **arguments: Any) -> None:
        """Does one of ``actions.ACTIONS`` now; from any thread.

        Raises:
            ValueError: unknown, not allowed, or not possible now, in words.
        """
        values = checked(action, arguments)
        with self._lock:
            self._do(action, values, 'control')
        self._wake()

    def truth(self) -> dict[str, Any]:
        """What is true now; see ``ChargePoint.truth``. From any thread."""
        with self._lock:
            self._send(self.charge_point.step(self._clock()))
            return {**self.charge_point.truth(), 'connected': self.port.connected}

    def _turn(self) -> None:
        """Waits for the next thing to happen and lets it happen."""
        with self._lock:
            wait = self._due() - self._clock()
        ready = self._selector.select(max(0.0, wait))
        with self._lock:
            self._answer(ready)

    def _answer(self, ready: Sequence[tuple[selectors.SelectorKey, int]]) -> None:
        self._live()
        for key, _ in ready:
            key.data()
        self._live()

    def _watch_cable(self) -> None:
        if not isinstance(self.port, DirectCable):
            self._selector.register(self.port, selectors.EVENT_READ, self._read_line)

    def _due(self) -> float:
        step = self._next_step
        return min(self.charge_point.due(), self._cable_in_at,
                   self._started_at + step.at if step else math.inf)

    def _live(self) -> None:
        now = self._clock()
        self._send(self.charge_point.step(now))
        if now >= self._cable_in_at:
            self._cable_in(now)
        while self._next_step and now >= self._started_at + self._next_step.at:
            step, self._next_step = self._next_step, next(self._steps, None)
            with contextlib.suppress(ValueError):   # the log says that it was refused
                self._do(step.action, step.arguments, 'scenario')
        while not self._answers.empty():
            self.log.write(now, 'put_limits', **self._answers.get())

    def _do(self, action: str, arguments: Mapping[str, Any], source: str) -> None:
        now = self._clock()
        self._send(self.charge_point.step(now))
        self.log.write(now, 'do', action=action, arguments=dict(arguments), source=source)
        try:
            self._perform(action, arguments, now)
        except ValueError as error:
            self.log.write(now, 'refused', action=action, reason=str(error))
            raise

    def _perform(self, action: str, arguments: Mapping[str, Any], now: float) -> None:
        if action == 'cable_out':
            self._cable_out(now, fault_end(arguments, now))
        elif action == 'cable_in':
            self._cable_in(now)
        elif action == 'burst':
            self._send(self._random.randbytes(arguments.get('bytes', 16)))
        elif action == 'put_limits':
            if not self._options.api:
                raise ValueError('put_limits: needs --api URL')
            put_limits(self._options.api, arguments['body'], self._put_answered)
        elif action == 'end':
            self.stop('end')
        else:
            self.charge_point.do(action, arguments, now)

    def _put_answered(self, answer: dict[str, object]) -> None:
        self._answers.put(answer)
        self._wake()

    def _cable_out(self, now: float, until: float) -> None:
        if self.port.connected:
            if not isinstance(self.port, DirectCable):
                self._selector.unregister(self.port)
            self.port.pull()
            self.charge_point.line.forget()
            self.log.write(now, 'line', connected=False)
        self._cable_in_at = until

    def _cable_in(self, now: float) -> None:
        self._cable_in_at = math.inf
        if not self.port.connected:
            self.port.plug_in()
            self._baudrate_told = False
            self._watch_cable()
            self.log.write(now, 'line', connected=True)

    def _read_line(self) -> None:
        if not self.port.connected:
            return
        data = self.port.read()
        baudrate = self._options.charge_point.baudrate
        if baudrate and not self.port.is_baudrate(baudrate):
            if not self._baudrate_told:
                self.log.write(self._clock(), 'violation', device='all', kind='baudrate',
                               needed=baudrate)
            self._baudrate_told = True
            return
        self._baudrate_told = False
        self.charge_point.feed(self._clock(), data)

    def _send(self, data: bytes) -> None:
        if data and self.port.connected:
            self.port.write(data)

    def _requested(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        arguments = {key: value for key, value in request.items() if key != 'do'}
        name = request.get('do')
        if name == 'query':
            return {'truth': self.truth()}
        values = checked(name, arguments)
        self._do(str(name), values, 'control')
        return {}

    def _wake(self) -> None:
        with contextlib.suppress(OSError):      # full: it wakes anyway; closed: it has ended
            self._wake_write.send(b'.')

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(4096)


@contextlib.contextmanager
def running(options: SimulatorOptions) -> Iterator[Simulator]:
    """A simulator on a thread of its own, for tests of what speaks to it.

    Raises:
        RuntimeError: at the end, when it failed meanwhile.
    """
    simulator = Simulator(options)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            simulator.run()
        except BaseException as error:  # noqa: BLE001  it is raised again where it can be seen
            failures.append(error)

    thread = threading.Thread(target=run, name='simulator', daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        simulator.stop('end of test')
        thread.join(5.0)
    if failures:
        raise RuntimeError('the simulator failed') from failures[0]
