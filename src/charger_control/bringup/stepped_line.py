"""The devices' serial line where they and their drivers are one process, in simulated time.

The drivers are the real ones; what they read and write goes to the simulated devices by a call, in
no time. Nothing here has a thread: who moves the clock calls ``step``.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence

from charger_control.drivers.interfaces import Clock, DeviceError, PortLostError
from charger_control.drivers.lines.bus import Bus, Buses, Device
from charger_control.drivers.lines.modbus_frames import (
    EXCEPTION_LENGTH,
    WRITE_ANSWER_LENGTH,
    AnswerReader,
    read_answer_length,
)
from charger_control.drivers.lines.modbus_rtu import WRITE_REGISTERS, ModbusLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.sim.charge_point.simulator import Simulator
from charger_control.sim.lines.modbus_rtu import frame

_MOST_TURNS = 100
"""Turns of one line at one instant; a device that never has enough must not stop the clock."""
_NO_THREAD = threading.Thread(name='none: the clock turns the bus')


class DirectLine(ModbusLine):
    """See drivers.modbus.ModbusLine; ``read`` and ``write`` return at once."""

    def __init__(self, port: str, settings: SerialSettings, simulator: Simulator) -> None:
        super().__init__(port, settings)
        self._simulator = simulator

    def open(self) -> None:
        """Raises DeviceError while the simulated cable is out."""
        if not self._simulator.port.connected:
            raise DeviceError(f'{self.name}: the simulated cable is out')

    def close(self) -> None:
        """There is nothing to close."""

    def presence(self) -> tuple[int, int] | None:
        """Whether the simulated cable is there."""
        return (0, 0) if self._simulator.port.connected else None

    def read(self, unit: int, function: int, address: int, count: int,
             answer_time: float) -> list[int]:
        """See ModbusLine; ``answer_time`` is not waited for."""
        answer = self._exchange(unit, function, struct.pack('>BHH', function, address, count),
                                read_answer_length(count))
        return list(struct.unpack(f'>{count}H', answer[3:-2]))

    def write(self, unit: int, address: int, values: Sequence[int], answer_time: float) -> None:
        """See ModbusLine."""
        count = len(values)
        pdu = struct.pack(f'>BHHB{count}H', WRITE_REGISTERS, address, count, 2 * count, *values)
        answer = self._exchange(unit, WRITE_REGISTERS, pdu, WRITE_ANSWER_LENGTH)
        self._demand(unit, struct.unpack('>HH', answer[2:6]) == (address, count),
                     'acknowledged something else')

    def _exchange(self, unit: int, function: int, pdu: bytes, length: int) -> bytes:
        """The answer's frame. Raises AnswerError or PortLostError."""
        if not self._simulator.port.connected:
            raise PortLostError(f'{self.name}: the simulated cable was pulled')
        reader = AnswerReader(unit, function, length)
        answer = reader.feed(self._simulator.exchange(frame(unit, pdu)))
        for stray, frames in reader.strays.items():
            self._counters[stray]['late_answers'] += frames
        if answer is None:
            raise self._failure(unit, reader.verdict(), 'gave no answer that fits')
        if len(answer) == EXCEPTION_LENGTH and answer[1] & 0x80:
            raise self._failure(unit, 'exceptions', f'refused with exception {answer[2]}')
        self._counters[unit]['answers'] += 1
        return answer


class SteppedBus(Bus[ModbusLine]):
    """A bus without a thread: ``step`` gives all turns that are due at this instant."""

    def __init__(self, line: ModbusLine, clock: Clock) -> None:
        super().__init__(line, clock)
        self._idle = True
        self._retry_at = float('-inf')

    def add(self, device: Device[ModbusLine]) -> None:
        """See Bus."""
        self._thread = _NO_THREAD
        super().add(device)

    def remove(self, device: Device[ModbusLine], timeout: float = 0.0) -> None:
        """See Bus."""
        super().remove(device, 0.0)

    def wake(self) -> None:
        """See Bus: what is wanted now is done now."""
        if self._idle:
            self.step()

    def step(self) -> None:
        """Serves the devices until none of them wants the line now."""
        if not self._is_open:
            if self.clock() < self._retry_at:
                return
            self._connect()
        self._idle = not self._is_open
        for _ in range(_MOST_TURNS):
            if self._idle or not self._slots:
                return
            try:
                self._serve()
            except PortLostError as error:
                self._lose(str(error))

    def _rest(self, time_span: float) -> None:
        self._idle = True

    def _lose(self, error: str) -> None:
        self._close_line()
        self._error, self._idle = error, True
        self._retry_at = self.clock() + self._backoff.delay()
        for slot in self._slots:
            slot.up = False
            slot.device.line_down(error)


class SteppedBuses(Buses):
    """The lines of one process, all leading to one simulator."""

    def __init__(self, simulator: Simulator, clock: Clock) -> None:
        super().__init__(clock)
        self._simulator = simulator
        self._stepped: dict[str, SteppedBus] = {}

    def modbus(self, port: str, settings: SerialSettings) -> Bus[ModbusLine]:
        """See Buses."""
        if port not in self._stepped:
            line = DirectLine(port, settings, self._simulator)
            self._stepped[port] = SteppedBus(line, self._clock)
        return self._stepped[port]

    def step(self) -> None:
        """Serves all lines."""
        for bus in self._stepped.values():
            bus.step()
