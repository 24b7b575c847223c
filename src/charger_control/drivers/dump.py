"""A captured dump of an optical head, decoded: what a user attaches to a report. Pure.

More is taken than from a live line: a dump may have been edited, cut, or copied as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.codecs import iec62056_21 as d0
from charger_control.drivers.codecs import sml
from charger_control.drivers.codecs.obis import reading_of
from charger_control.drivers.meters.iec62056_21 import serial_number_of as d0_number
from charger_control.drivers.meters.sml import serial_number_of as sml_number

_HEX = re.compile(rb'(?:(?:0x)?[0-9A-Fa-f]{2}[\s,;:]*)+')
_END = b'!\r\n'


class DumpError(ValueError):
    """There is nothing of this kind in the dump."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a dump says.

    Attributes:
        reading: of its last sound telegram.
        not_understood: lines, or words about telegrams, that say nothing to us.
    """

    reading: MeterReading
    not_understood: tuple[str, ...]


def decode(driver: str, data: bytes) -> Decoded:
    """Decodes a dump.

    Args:
        driver: of DECODERS.
        data: bytes as the head sent them, or those as hexadecimal digits.

    Raises:
        DumpError: no telegram of this kind is in it; says why.
    """
    text = data.strip()
    if _HEX.fullmatch(text):
        data = bytes.fromhex(re.sub(rb'0x|[\s,;:]', b'', text).decode('ascii'))
    if not data.strip():
        raise DumpError('the dump is empty')
    return DECODERS[driver](data)


def _decode_sml(data: bytes) -> Decoded:
    reader = sml.SmlReader()
    telegrams = reader.feed(data)
    if not telegrams:
        start = data.find(sml.START)
        if start < 0:
            raise DumpError('no SML telegram begins in it (1B1B1B1B 01010101)')
        counts = ', '.join(f'{kind} {n}' for kind, n in reader.counters.items())
        raise DumpError(f'no sound SML telegram is in it ({counts or "its end is missing"})')
    last = telegrams[-1]
    refused = tuple(f'{n} telegrams or pieces refused: {kind}'
                    for kind, n in reader.counters.items())
    return Decoded(reading_of(last.numbers, sml_number(last)), refused)


def _decode_d0(data: bytes) -> Decoded:
    notes: list[str] = []
    if any(byte & 0x80 for byte in data):
        data, wrong = d0.without_parity(data)
        if wrong:
            notes.append(f'{wrong} characters with a wrong parity bit')
    edited = b'\r\n' not in data
    if edited:
        data = data.replace(b'\n', b'\r\n')
    start = data.find(b'/')
    if start < 0:
        raise DumpError('no readout begins in it (a line with / and the maker, such as '
                        '/ESY5Q3DA1004 V3.04)')
    found, why = None, ''
    for raw in _readouts(data[start:]):
        try:
            found = d0.decode(raw, any_block_check=edited)
        except d0.D0Error as error:
            why = str(error)
    if found is None:
        raise DumpError(f'no sound readout is in it: {why}')
    return Decoded(reading_of(found.numbers, d0_number(found)),
                   (*notes, *found.not_understood))


def _readouts(data: bytes) -> list[bytes]:
    """Each readout from its '/' to its end; of one that has none, all that there is."""
    parts = re.split(rb'(?<=\n)(?=/)', data)
    whole = []
    for part in parts:
        end = part.find(_END)
        if end < 0:
            body = part.rstrip(b'\r\n!\x03\0 ').replace(bytes((d0.STX,)), b'')
            whole.append(body + b'\r\n' + _END)
        else:
            length = end + len(_END) + (2 if bytes((d0.STX,)) in part[:end] else 0)
            whole.append(part[:length])
    return whole


DECODERS: dict[str, Callable[[bytes], Decoded]] = {'sml': _decode_sml, 'd0': _decode_d0}
