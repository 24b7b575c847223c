"""SML telegrams as meters push them: finds them in a stream, checks them, reads them. Pure.

Transport version 1 and the encoding of BSI TR-03109-1, annex IV (the same as FNN's EDL): escape
1B1B1B1B, CRC-16/X-25 of the whole telegram and of every message in it. Both must be right and
every length must fit, or the whole telegram is refused. An own decoder, because the kept ones do
not fit here: smllib is GPL-3.0, pysml brings aiohttp and serialx into the control process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from charger_control.drivers.codecs.obis import POWER, SERIAL, Code, Number, usual

ESCAPE = b'\x1b' * 4
START = ESCAPE + b'\x01' * 4
GET_LIST_RESPONSE = 0x0701
MOST_BYTES = 8192
"""Of a telegram; the longest known are about 1 kB."""
_MOST_DEPTH, _MOST_ITEMS = 8, 128
_MOST_PADDING = 4
"""Fill bytes at the end: up to 3 by the standard, 4 of some meters (libsml, smllib take it)."""
_UNITS = {27: 'W', 30: 'Wh', 33: 'A', 35: 'V', 44: 'Hz'}
"""DLMS unit codes."""
_END = object()
_DVS74 = ((42_000_000, 48_999_999), (55_000_000, 58_999_999))
"""Serial numbers of DZG's DVS74 that send power in one or two bytes as signed although it is not;
what is less than 0 comes in four (libsml, sml_list.c: 356.24 W is read as -299.12 W)."""


class _Short(int):
    """A signed value of one or two bytes."""

    def __new__(cls, content: bytes) -> _Short:
        """``content``: big-endian, in two's complement."""
        value = super().__new__(cls, int.from_bytes(content, 'big', signed=True))
        value.unsigned = int.from_bytes(content, 'big')
        return value

    unsigned: int


class SmlError(Exception):
    """A telegram that is not SML; ``kind``: its counter, as in interfaces.Sample."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Telegram:
    """One push of a meter.

    Attributes:
        server_id: of the meter, as hexadecimal digits.
        numbers: its values by OBIS groups C, D, E.
        names: what is a text among them (manufacturer, device number), as it was sent.
    """

    server_id: str
    numbers: dict[Code, Number] = field(default_factory=dict)
    names: dict[Code, bytes] = field(default_factory=dict)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """CRC-16/X-25; it goes over the line low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF


class SmlReader:
    """Takes bytes as they come and hands out whole, sound telegrams.

    Attributes:
        counters: of what was refused: 'crc_errors', 'garbage' (noise, half telegrams).
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._buffer = b''

    def feed(self, data: bytes) -> list[Telegram]:
        """The telegrams that are complete now."""
        self._buffer += data
        telegrams = []
        while (raw := self._next()) is not None:
            try:
                telegrams.append(decode(raw))
            except SmlError as error:
                self.counters[error.kind] += 1
        return telegrams

    def forget(self) -> None:
        """The line was cut: what is half received is no more than noise."""
        self._drop(len(self._buffer))

    def _next(self) -> bytes | None:
        """The next telegram, from its start to its checksum."""
        start = self._buffer.find(START)
        if start < 0:
            self._drop(max(0, len(self._buffer) - len(START) + 1))
            return None
        self._drop(start)
        at = len(START)
        while (at := self._buffer.find(ESCAPE, at)) >= 0:
            follows = self._buffer[at + 4:at + 8]
            if len(follows) < 4:
                break
            if follows == ESCAPE:
                at += 8
            elif follows[0] == 0x1A:
                raw, self._buffer = self._buffer[:at + 8], self._buffer[at + 8:]
                return raw
            else:  # a new one begins, or this one is broken
                self.counters['garbage'] += 1
                self._buffer = self._buffer[at if follows == b'\x01' * 4 else at + 4:]
                return self._next()
        if len(self._buffer) > MOST_BYTES:
            self.counters['garbage'] += 1
            self._buffer = self._buffer[len(START):]
            return self._next()
        return None

    def _drop(self, length: int) -> None:
        if self._buffer[:length].strip(b'\0'):  # some pad with zeros
            self.counters['garbage'] += 1
        self._buffer = self._buffer[length:]


def decode(raw: bytes) -> Telegram:
    """The values of a telegram, from its start to its checksum. Raises SmlError."""
    padding = raw[-3]
    if crc16(raw[:-2]).to_bytes(2, 'little') != raw[-2:]:
        raise SmlError('crc_errors', 'the checksum of the telegram is wrong')
    body = raw[len(START):-8].replace(ESCAPE * 2, ESCAPE)
    if padding > _MOST_PADDING or padding > len(body):
        raise SmlError('garbage', f'{padding} bytes of padding')
    body = body[:len(body) - padding]
    found: Telegram | None = None
    for message in _messages(body):
        choice, content = message
        if choice == GET_LIST_RESPONSE:
            found = _list_of(content, found)
    if found is None:
        raise SmlError('garbage', 'no list of values in it')
    return found


def _messages(body: bytes) -> Iterator[tuple[int, Any]]:
    """Choice and content of each message; its own checksum is right."""
    at = 0
    while at < len(body):
        if body[at] != 0x76:
            raise SmlError('garbage', 'no message where one must begin')
        start, at = at, at + 1
        items = []
        for number in range(6):
            if number == 4:
                crc = crc16(body[start:at])
            item, at = _element(body, at, 1)
            items.append(item)
        if items[5] is not _END:
            raise SmlError('garbage', 'a message without an end')
        if items[4] != (crc & 0xFF) << 8 | crc >> 8:
            raise SmlError('crc_errors', 'the checksum of a message is wrong')
        inner = items[3]
        if not isinstance(inner, list) or len(inner) != 2 or not isinstance(inner[0], int):
            raise SmlError('garbage', 'a message without a body')
        yield inner[0], inner[1]


def _element(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """One value and where the next begins: bytes, int, bool, list, None (left out), _END."""
    if at >= len(data) or depth > _MOST_DEPTH:
        raise SmlError('garbage', 'a value ends too soon')
    byte = first = data[at]
    if first == 0x00:
        return _END, at + 1
    length, head = first & 0x0F, 1
    while byte & 0x80:
        if at + head >= len(data) or head > 2 or data[at + head] & 0x70:
            raise SmlError('garbage', 'a length that cannot be')
        byte = data[at + head]
        length, head = length << 4 | byte & 0x0F, head + 1
    kind = first & 0x70
    if kind == 0x70:
        if length > _MOST_ITEMS:
            raise SmlError('garbage', f'a list of {length} values')
        items, at = [], at + head
        for _ in range(length):
            item, at = _element(data, at, depth + 1)
            items.append(item)
        return items, at
    content, end = data[at + head:at + length], at + length
    if length < head or end > len(data):
        raise SmlError('garbage', 'a value that is longer than its message')
    if kind == 0x00:
        return content or None, end
    if kind == 0x40 and len(content) == 1:
        return bool(content[0]), end
    if kind == 0x50 and 1 <= len(content) <= 2:
        return _Short(content), end
    if kind in (0x50, 0x60) and 1 <= len(content) <= 8:
        return int.from_bytes(content, 'big', signed=kind == 0x50), end
    raise SmlError('garbage', f'a value of no known type ({first:02X})')


def printed(number: bytes) -> str:
    """A meter's number as it stands on it; hexadecimal digits where its form is not known.

    DIN 43863-5: length, medium, three letters of the maker, block, number: 0A 01 'EMH' 00 00BC614E
    is 1EMH0012345678. Some send the characters themselves.
    """
    if (len(number) == 10 and number[0] in (0x09, 0x0A) and number[1] <= 9
            and number[2:5].isalpha()):
        figure = int.from_bytes(number[6:], 'big')
        if figure < 100_000_000:
            return f'{number[1]}{number[2:5].decode("ascii")}{number[5]:02X}{figure:08d}'
    if number and all(0x20 <= byte < 0x7F for byte in number):
        return number.decode('ascii').strip()
    return number.hex().upper()


def _sends_unsigned(telegram: Telegram) -> bool:
    """Whether this meter is one of _DVS74."""
    for number in (telegram.names.get(SERIAL[0], b''), bytes.fromhex(telegram.server_id)):
        if len(number) == 10 and number[:5] == b'\x0a\x01DZG':
            return any(a <= int.from_bytes(number[5:], 'big') <= b for a, b in _DVS74)
    return False


def _list_of(content: Any, before: Telegram | None) -> Telegram:
    """The values of a GetList.Res, after those of one before it in the same telegram."""
    if not isinstance(content, list) or len(content) != 7:
        raise SmlError('garbage', 'a list of values that is none')
    server_id, entries = content[1], content[4]
    if not isinstance(server_id, bytes) or not isinstance(entries, list):
        raise SmlError('garbage', 'a list of values without a meter or values')
    telegram = before or Telegram(server_id.hex().upper())
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 7 or not (
                isinstance(entry[0], bytes) and len(entry[0]) == 6):
            raise SmlError('garbage', 'an entry of the list that is none')
        name, unit, scaler, value = entry[0], entry[3], entry[4], entry[5]
        if name[0] != 1:
            continue  # the maker's own values, and what is not electricity
        code = usual((name[2], name[3], name[4]))
        if isinstance(value, bytes):
            telegram.names.setdefault(code, value)
        elif isinstance(value, int) and not isinstance(value, bool):
            exponent = 0 if scaler is None else scaler
            if code == POWER and isinstance(value, _Short) and _sends_unsigned(telegram):
                value = value.unsigned
            if not isinstance(exponent, int) or abs(exponent) > 12:
                raise SmlError('garbage', f'a power of ten that cannot be ({exponent})')
            number = value * 10.0**exponent if exponent >= 0 else value / 10.0**-exponent
            telegram.numbers.setdefault(code, Number(number, _UNITS.get(unit, '')))
    return telegram
