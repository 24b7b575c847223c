"""What the tests of the simulator share: a charge point on a fake clock, and one on a real pty."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.charge_point.charge_point import ChargePoint, ChargePointParameters
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions, running
from charger_control.sim.lines.modbus_rtu import frame, is_sound

PILOT, METER = 1, 2


class Bench:
    """A charge point on a fake clock and the other end of its line."""

    def __init__(self, **parameters: Any) -> None:
        self.log = BoardLog()
        self.now = 100.0
        defaults: dict[str, Any] = {'baudrate': 0, 'answer_delay': 0.0,
                                    'scenario': Scenario(steps=())}
        self.point = ChargePoint(ChargePointParameters(**{**defaults, **parameters}),
                                 self.log, self.now)

    def live(self, seconds: float, tick: float = 0.05) -> bytes:
        """Lives on in ticks; returns what was sent meanwhile."""
        end, sent = self.now + seconds, b''
        while self.now < end - 1e-9:
            self.now = min(end, self.now + tick)
            sent += self.point.step(self.now)
        return sent

    def until(self, condition: Callable[[], bool], most: float = 60.0) -> float:
        """Lives until a condition holds; returns how many s that took."""
        start = self.now
        while not condition():
            assert self.now - start < most, 'it never came'
            self.live(0.01, 0.01)
        return self.now - start

    def send(self, data: bytes) -> bytes:
        """Sends at once and returns what comes back at once."""
        self.point.feed(self.now, data)
        return self.point.step(self.now)

    def ask(self, unit: int, pdu: bytes) -> bytes:
        """A request after the needed silence; the answer's data unit, b'' for none."""
        self.live(0.11)
        answer = self.send(frame(unit, pdu))
        assert not answer or is_sound(answer)
        return answer[1:-2]

    def read(self, address: int, count: int = 1, unit: int = PILOT, function: int = 3) -> list[int]:
        answer = self.ask(unit, struct.pack('>BHH', function, address, count))
        assert answer[:2] == bytes([function, 2 * count]), answer.hex()
        return list(struct.unpack(f'>{count}H', answer[2:]))

    def write(self, address: int, value: int) -> None:
        answer = self.ask(PILOT, struct.pack('>BHHBH', 16, address, 1, 2, value))
        assert answer == struct.pack('>BHH', 16, address, 1), answer.hex()

    def do(self, action: str, **arguments: Any) -> None:
        self.point.step(self.now)
        self.point.do(action, arguments, self.now)

    def fine(self) -> None:
        """Makes the board count in 0.01 A, as a careful driver does, with nothing offered."""
        self.write(1000, 0)
        self.write(2005, 1 << 7)
        self.live(1.1)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


class Wire:
    """The driver's end of a real pty, byte by byte."""

    def __init__(self, link: Path, baudrate: int = 9600) -> None:
        self.port = serial.Serial(str(link), baudrate, timeout=1.0, exclusive=True)

    def ask(self, unit: int, pdu: bytes, size: int, timeout: float = 1.0) -> bytes:
        """Sends a request; returns up to ``size`` bytes that come within ``timeout`` s."""
        self.port.timeout = timeout
        self.port.write(frame(unit, pdu))
        return self.port.read(size)

    def close(self) -> None:
        self.port.close()


@pytest.fixture
def options(tmp_path: Path) -> SimulatorOptions:
    """Fast: no pacing, nothing happens by itself."""
    return SimulatorOptions(
        link=tmp_path / 'bus', log=tmp_path / 'board.jsonl', control=tmp_path / 'control',
        charge_point=ChargePointParameters(scenario=Scenario(steps=()), baudrate=0,
                                           answer_delay=0.0))


@pytest.fixture
def simulator(options: SimulatorOptions) -> Iterator[Simulator]:
    with running(options) as simulator:
        yield simulator


@pytest.fixture
def wire(simulator: Simulator) -> Iterator[Wire]:
    wire = Wire(simulator.port.link)
    yield wire
    wire.close()


@pytest.fixture
def make_wire() -> type[Wire]:
    return Wire
