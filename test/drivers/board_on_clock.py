"""A simulated board, its driver and the block of control pilot, on a fake clock without a line.

The board is the simulator's, with its vehicle; what the tests judge is the board's own log.
"""

from __future__ import annotations

import dataclasses
import struct
from collections import Counter, deque
from typing import Any

from fake_devices import FakeClock, MemoryBus, MemoryLine
from fake_rtu import Request

from charger_control.core.heard import Heard
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.iso61851.wake import WakeUpConfig
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.interfaces import AnswerError, VehicleWaker
from charger_control.drivers.lines.rapi import Message, parse, sealed
from charger_control.drivers.pilots.evse_din.driver import EvseDin, EvseDinConfig
from charger_control.drivers.pilots.openevse.driver import OpenEvse
from charger_control.drivers.pilots.phoenix.boards import EthernetBoard, PhoenixConfig, SerialBoard
from charger_control.drivers.pilots.phoenix.driver import Phoenix
from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.pilot_board import BoardParameters
from charger_control.sim.charge_point.charge_point import ChargePoint, ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.lines.modbus_rtu import answer
from charger_control.sim.plant.contactor import ContactorParameters
from charger_control.sim.plant.plant import PlantParameters

TICK = 0.05


class BoardLine(MemoryLine):
    """The line to a simulated board; the charge point lives up to the clock at each request.

    Attributes:
        deaf: functions that the board does not answer though it obeys (3: reads, 16: writes).
    """

    def __init__(self, clock: FakeClock, point: ChargePoint) -> None:
        super().__init__(clock)
        self.point = point
        self.deaf: set[int] = set()

    def _ask(self, request: Request, pdu: bytes, answer_time: float) -> bytes:
        self._transact(request, answer_time)
        self.point.step(self.clock.now)
        board = self.point.board
        reply = b''
        if board.is_up() and request.unit == board.unit():
            reply = answer(board, pdu, self.clock.now)
        if not reply or request.function in self.deaf:
            self.clock.now += answer_time
            raise AnswerError('timeouts', f'unit {request.unit} does not answer')
        if reply[0] & 0x80:
            raise AnswerError('exceptions', f'refused with exception {reply[1]}')
        return reply

    def read(self, unit: int, function: int, address: int, count: int,
             answer_time: float) -> list[int]:
        reply = self._ask(Request(self.clock.now, unit, function, address, count),
                          struct.pack('>BHH', function, address, count), answer_time)
        return list(struct.unpack(f'>{count}H', reply[2:]))

    def read_bits(self, unit: int, function: int, address: int, count: int,
                  answer_time: float) -> list[int]:
        reply = self._ask(Request(self.clock.now, unit, function, address, count),
                          struct.pack('>BHH', function, address, count), answer_time)
        return [reply[2 + i // 8] >> i % 8 & 1 for i in range(count)]

    def take(self, data: bytes) -> None:
        """Nothing: what a register device sends is an answer, and given where it was asked."""

    def write(self, unit: int, address: int, values: Any, answer_time: float) -> None:
        self._ask(Request(self.clock.now, unit, 16, address, len(values), tuple(values)),
                  struct.pack(f'>BHHB{len(values)}H', 16, address, len(values), 2 * len(values),
                              *values), answer_time)

    def write_one(self, unit: int, address: int, value: int, answer_time: float) -> None:
        self._ask(Request(self.clock.now, unit, 6, address, 1, (value,)),
                  struct.pack('>BHH', 6, address, value), answer_time)

    def write_bit(self, unit: int, address: int, value: bool, answer_time: float) -> None:
        self._ask(Request(self.clock.now, unit, 5, address, 1, (int(value),)),
                  struct.pack('>BHH', 5, address, 0xFF00 if value else 0), answer_time)


class RapiBoardLine:
    """RapiLine's part to a simulated OpenEVSE: a line each way, 10 ms.

    Attributes:
        dead: the line is cut.
        lost: so many of the next commands do not arrive.
        asked: every command and when.
    """

    name, echoes = 'memory', True

    def __init__(self, clock: FakeClock, point: ChargePoint) -> None:
        self.clock, self.point = clock, point
        self.events: deque[Message] = deque()
        self.asked: list[tuple[float, str]] = []
        self.dead, self.lost, self._sent = False, 0, b''
        self._counters: Counter[str] = Counter()

    def counters(self, unit: int = 0) -> Counter[str]:
        return self._counters

    def count(self, kind: str) -> None:
        self._counters[kind] += 1

    def ask(self, command: str, answer_time: float) -> Message:
        self.asked.append((self.clock.now, command))
        board, start = self.point.board, self.clock.now
        self._live(0.005)
        self.lost -= (lost := self.lost > 0)
        if not self.dead and not lost:
            self._hear()
            board.feed(self.clock.now, sealed(f'${command} :01'))
            while self.clock.now - start < answer_time:
                self._live(0.005)
                if answer := self._hear():
                    return answer
        self._live(max(0.0, start + answer_time - self.clock.now))
        raise AnswerError('timeouts', 'the board does not answer')

    def _live(self, seconds: float) -> None:
        self.clock.now += seconds
        self.take(self.point.step(self.clock.now))

    def take(self, data: bytes) -> None:
        """What the board sent."""
        self._sent += data

    def _hear(self) -> Message | None:
        """Takes in what the board said by itself; its answer, if there is one."""
        answer, sent, self._sent = None, self._sent, b''
        for line in (sent + self.point.board.step_line(self.clock.now)).split(b'\r')[:-1]:
            message = parse(line)
            assert not isinstance(message, str), line
            if message.word in ('OK', 'NK'):
                answer = message
            elif not self.dead:
                self.events.append(message)
        return answer


def _driver(name: str, bus: MemoryBus, unit: int, options: dict[str, Any]) -> Any:
    if name == 'evse_din':
        return EvseDin(bus, unit, EvseDinConfig(**options))
    if name == 'openevse':
        pilot = OpenEvse(bus, **options)
        pilot._now = bus.clock
        return pilot
    board = SerialBoard() if name == 'phoenix_ev_ser' else EthernetBoard()
    return Phoenix(bus, unit, board, PhoenixConfig(**options))


class BoardOnClock:
    """One charge point with its driver and the block, as in the graph, every 50 ms.

    Attributes:
        amperage: A that the controller makes available; None: nothing.
        metered: the block hears the current that flows.
        published: what the block said last.
    """

    def __init__(self, driver: str, *, board: dict[str, Any] | None = None,
                 registers: dict[str, int] | None = None, **options: Any) -> None:
        """``board``: BoardParameters; ``registers``: of the board's memory, by name."""
        self.clock = FakeClock()
        self.log = BoardLog()
        scenario = dataclasses.replace(Scenario(), steps=(), board=registers or {})
        self.point = ChargePoint(ChargePointParameters(
            scenario=scenario, baudrate=0, answer_delay=0.0, board_model=driver,
            board=BoardParameters(**(board or {})),
            plant=PlantParameters(contactor=ContactorParameters())), self.log, self.clock.now)
        rapi = driver == 'openevse'
        self.line: Any = (RapiBoardLine if rapi else BoardLine)(self.clock, self.point)
        self.bus = MemoryBus(self.line)
        self.pilot = _driver(driver, self.bus, 1 if rapi else self.point.board.unit() or 1,
                             options)
        self.block = CurrentPilotControl(CurrentPilotConfig(
            present_hold=0.0,
            wake_up=WakeUpConfig() if isinstance(self.pilot, VehicleWaker) else None))
        self.amperage: float | None = None
        self.metered = False
        self.published: ControlPilot | None = None
        self.faults: list[str] = []
        self.letters: list[str] = []

    def start(self) -> BoardOnClock:
        self.pilot.start()
        return self

    def run(self, seconds: float) -> BoardOnClock:
        end = self.clock.now + seconds
        while self.clock.now < end - 1e-9:
            self._tick()
            if self.bus.device is None:
                self.clock.now += TICK
            self.bus.run(TICK if self.bus.device else 0.0)
            self.line.take(self.point.step(self.clock.now))
        return self

    def do(self, action: str, **arguments: Any) -> BoardOnClock:
        self.line.take(self.point.step(self.clock.now))
        self.point.do(action, arguments, self.clock.now)
        return self

    def _tick(self) -> None:
        now = self.clock.now
        available = self.amperage or 0.0
        self.block.hear_available(Heard(AvailableAmperage(
            available, available, available > 0.0), now))
        self.block.hear_hw(Heard(AmperageLimit(32.0, valid_for=5.0, lost_amperage=0.0), now))
        if self.metered:
            self.block.hear_meter(Heard(MeterReading(amperage=self.point.plant.amperage), now))
        sample = self.pilot.latest()
        reading = None if sample.value is None else Heard(sample.value, sample.at)
        result = self.block.step(now, reading, sample.error)
        if result.pilot is not None:
            self.published = result.pilot
            for seen, value in ((self.faults, result.pilot.fault),
                                (self.letters, result.pilot.vehicle_status)):
                if not seen or seen[-1] != value:
                    seen.append(value)
        if result.wake:
            self.pilot.wake(result.wake)
        self.pilot.offer(result.offer)
        if result.open_contactor:
            self.pilot.open_contactor()

    @property
    def offered(self) -> float:
        """A that the board's pilot offers."""
        return self.point.board.offered

    @property
    def sample(self) -> Any:
        return self.pilot.latest()

    def events(self, kind: str) -> list[dict[str, Any]]:
        return self.log.events(kind)

    def highest(self, since: float = 0.0) -> float:
        """A, the most that the board offered since ``since`` s, in its own log."""
        return max((event['amperage'] for event in self.log.events('offer')
                    if event['t'] >= since), default=0.0)
