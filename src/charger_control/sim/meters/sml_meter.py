"""A simulated meter that pushes SML (BSI TR-03109-1, annex IV). Pure, explicit time.

Its encoding is its own: nothing of the driver's decoding is used.
"""

from __future__ import annotations

import math

from charger_control.sim.meters.register_device import Measured

_ESCAPE = b'\x1b' * 4
_WH, _W, _A, _V, _HZ = 30, 27, 33, 35, 44
_NOTHING, _END = b'\x01', b'\x00'


def crc16(data: bytes) -> bytes:
    """CRC-16/X-25, bit by bit, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return (crc ^ 0xFFFF).to_bytes(2, 'little')


def _text(data: bytes) -> bytes:
    length = len(data) + 1
    if length < 16:
        return bytes((length,)) + data
    length += 1
    return bytes((0x80 | length >> 4, length & 0x0F)) + data


def _unsigned(value: int, size: int) -> bytes:
    return bytes((0x60 | size + 1,)) + value.to_bytes(size, 'big')


def _signed(value: int, size: int) -> bytes:
    return bytes((0x50 | size + 1,)) + value.to_bytes(size, 'big', signed=True)


def _list(*items: bytes) -> bytes:
    head = bytes((0x70 | len(items),)) if len(items) < 16 else bytes(
        (0xF0 | len(items) >> 4, len(items) & 0x0F))
    return head + b''.join(items)


def message(number: int, choice: int, content: bytes) -> bytes:
    """An SML message with its checksum."""
    body = b'\x76' + _text(number.to_bytes(4, 'big')) + _unsigned(0, 1) + _unsigned(0, 1) + _list(
        _unsigned(choice, 2), content)
    return body + b'\x63' + crc16(body) + _END


def telegram(*messages: bytes) -> bytes:
    """The messages with escapes, padding and checksum."""
    body = b''.join(messages)
    padding = -len(body) % 4
    frame = _ESCAPE + b'\x01' * 4 + body.replace(_ESCAPE, _ESCAPE * 2) + bytes(padding)
    frame += _ESCAPE + bytes((0x1A, padding))
    return frame + crc16(frame)


class SmlPushMeter:
    """Sends a telegram every ``interval`` s.

    Attributes:
        interval: s.
        per_phase: also currents and voltages of the phases, as after the extended PIN.
        phase_power: also the power of each phase.
    """

    def __init__(self, plant: Measured, *, now: float = 0.0, interval: float = 1.0,
                 server_id: bytes = bytes.fromhex('0A0153494D0001348A35'),
                 per_phase: bool = True, phase_power: bool = False) -> None:
        self.interval = interval
        self.per_phase = per_phase
        self.phase_power = phase_power
        self._plant = plant
        self._server_id = server_id
        self._next = now
        self._number = 0

    def due(self) -> float:
        """s, when it sends next."""
        return self._next

    def feed(self, now: float, data: bytes) -> None:
        """It hears nothing."""

    def step(self, now: float) -> bytes:
        """What it sends at ``now`` s."""
        if now < self._next:
            return b''
        self._next += self.interval * max(1, math.ceil((now - self._next) / self.interval))
        return self.telegram()

    def telegram(self) -> bytes:
        """What it measures now, encoded."""
        plant = self._plant
        entries = [
            self._entry((1, 0, 96, 50, 1, 1), _NOTHING, _NOTHING, _text(b'SIM')),
            self._entry((1, 0, 96, 1, 0, 255), _NOTHING, _NOTHING, _text(self._server_id)),
            self._value((1, 8, 0), _WH, -1, round(plant.energy_imported * 1e4), 8),
            self._value((16, 7, 0), _W, -1, round(plant.power * 10), 4)]
        if self.per_phase:
            for i, (volt, ampere) in enumerate(zip(plant.voltage, plant.amperage, strict=True)):
                entries.append(self._value((32 + 20 * i, 7, 0), _V, -1, round(volt * 10), 2))
                entries.append(self._value((31 + 20 * i, 7, 0), _A, -2, round(ampere * 100), 4))
            entries.append(self._value((14, 7, 0), _HZ, -2, round(plant.frequency * 100), 2))
        if self.phase_power:
            for i, (volt, ampere) in enumerate(zip(plant.voltage, plant.amperage, strict=True)):
                entries.append(self._value((36 + 20 * i, 7, 0), _W, -1, round(volt * ampere * 10),
                                           4))
        self._number += 1
        file_id = _text(self._number.to_bytes(4, 'big'))
        server = _text(self._server_id)
        opened = _list(_NOTHING, _NOTHING, file_id, server, _NOTHING, _NOTHING)
        values = _list(_NOTHING, server, _text(bytes.fromhex('0100620AFFFF')),
                       _list(_unsigned(1, 1), _unsigned(self._number, 4)), _list(*entries),
                       _NOTHING, _NOTHING)
        number = 3 * self._number
        return telegram(message(number, 0x0101, opened), message(number + 1, 0x0701, values),
                        message(number + 2, 0x0201, _list(_NOTHING)))

    def _value(self, code: tuple[int, int, int], unit: int, scaler: int, value: int,
               size: int) -> bytes:
        return self._entry((1, 0, *code, 255), _unsigned(unit, 1), _signed(scaler, 1),
                           _signed(value, size))

    @staticmethod
    def _entry(name: tuple[int, ...], unit: bytes, scaler: bytes, value: bytes) -> bytes:
        return _list(_text(bytes(name)), _NOTHING, _NOTHING, unit, scaler, value, _NOTHING)
