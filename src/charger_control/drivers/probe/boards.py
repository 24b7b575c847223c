"""Which known board a unit, or a whole port, is; for probe.py. Only reads."""

from __future__ import annotations

from collections.abc import Callable

from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.modbus_rtu import READ_HOLDING
from charger_control.drivers.lines.rapi import SETTINGS, RapiLine
from charger_control.drivers.pilots.evse_din.registers import Live, SetUp, register_map
from charger_control.drivers.pilots.phoenix.boards import SerialBoard

Read = Callable[[int, int, int, float], list[int] | None]
"""Reads registers of the unit: function, address, count, answer time (s); None: no such answer."""
_ANSWER_TIME, _TRIES = 0.3, 2


def name_of(unit: int, read: Read) -> str:
    """The driver of the board that answers as this unit, '' if it is no known one."""
    if _is_evse_din(unit, read):
        return 'evse_din'
    return 'phoenix_ev_ser' if _is_phoenix(read) else ''


def _is_evse_din(unit: int, read: Read) -> bool:
    board = register_map()
    live = _read_block(read, board.live, board.answer_time)
    set_up = live and _read_block(read, board.set_up, board.answer_time)
    if not live or not set_up:
        return False
    state = Live.of(live)
    address = set_up[board.address['modbus_address'] - board.set_up[0]]
    return (state.vehicle_state in range(1, 6) and state.evse_state in range(1, 4)
            and state.firmware > 0 and address == unit and SetUp.of(set_up).power_on_current < 8001)


def _read_block(read: Read, block: tuple[int, int, int], answer_time: float) -> list[int] | None:
    """A block of registers, or what older firmware has of it."""
    address, count, least = block
    return (read(READ_HOLDING, address, count, answer_time)
            or read(READ_HOLDING, address, least, answer_time))


def _is_phoenix(read: Read) -> bool:
    board = SerialBoard()
    (request,) = board.live
    live = read(request.function, request.address, request.count, board.table['answer_time'])
    if not live:
        return False
    letter, digit = chr(live[0] >> 8), chr(live[0] & 0xFF)
    return letter in 'ABCDEF' and digit in '012' and live[1] in (0, 13, 20, 32, 63, 0xFFFF)


def openevse_on(port: str) -> str:
    """The firmware of the OpenEVSE on a port, '' if there is none. Raises DeviceError."""
    line = RapiLine(port, SETTINGS)
    line.open()
    try:
        for _ in range(_TRIES):
            try:
                answer = line.ask('GV', _ANSWER_TIME)
            except AnswerError:
                continue
            if answer.word == 'OK' and answer.tokens:
                return answer.tokens[0]
    finally:
        line.close()
    return ''
