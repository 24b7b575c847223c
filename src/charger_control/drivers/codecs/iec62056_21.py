r"""IEC 62056-21 readouts (D0 heads): finds them in a stream, checks them, reads them. Pure.

A readout is ``/XXXZ ident CR LF``, then ``STX data ! CR LF ETX BCC`` (modes A, B, C) or, without
STX, ETX and BCC, ``CR LF data ! CR LF`` (mode D, which pushes). Every character has an even parity
bit (7E1), which is checked here and not in the port: so its errors are counted, and the bits on
the line are the same as those of 8N1. Parity and BCC together find every error of up to three bits;
a noise burst they let pass would have to leave every line in form as well: the parser is strict,
and a readout with another layout than the last one counts only when the next confirms it. Against
the rest `drivers/meters/iec62056_21.py` takes the median of three.

An own parser: iec62056-21 (PyPI) is of 2019 and opens its ports itself, dsmr-parser is for P1.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from charger_control.drivers.codecs.obis import ENERGY, SERIAL, Code, Number, usual

STX, ETX, ACK = 0x02, 0x03, 0x06
REQUEST = b'/?!\r\n'
BAUDRATES = {'0': 300, '1': 600, '2': 1200, '3': 2400, '4': 4800, '5': 9600, '6': 19200}
"""Mode C: the identification's fifth character; the answer repeats it."""
MODE_B_BAUDRATES = {'A': 600, 'B': 1200, 'C': 2400, 'D': 4800, 'E': 9600, 'F': 19200}
MOST_BYTES = 16384
"""Of a readout with all its history; 300 bytes to 3 kB are usual."""
_IDENTIFICATION = re.compile(r'/([A-Za-z]{2}[A-Za-z])([0-9A-I])([^\r\n/!]{0,32})')
_LINE = re.compile(r'(?:(\d{1,3})-(\d{1,3}):)?([0-9A-Z]{1,3})\.([0-9A-Z]{1,3})(?:\.(\d{1,3}))?'
                   r'(?:[*&](\d{1,3}))?((?:\([^()!]*\))+)')
_NUMBER = re.compile(r' ?([+-]?\d{1,12}(?:\.\d{1,12})?)(?:[* ]([A-Za-z]{1,6}(?:/[A-Za-z]{1,3})?))?')
_MAKERS_NUMBER = (('0', 'C', '1', '0'), ('1', 'C', '1', '0'), (None, 'C', '1', '0'))
"""Medium and groups C, D, E of the serial number in the codes that IEC 62056-21 lists."""
PRESENT = (None, '255', '00', '0')
"""Group F of a present value; others are stored ones, of earlier periods."""

Layout = tuple[tuple[str, ...], ...]


class D0Error(Exception):
    """Bytes that are no readout; ``kind``: their counter, as in interfaces.Sample."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Telegram:
    """One readout.

    Attributes:
        maker: three letters, as registered with FLAG.
        identification: the rest of what the meter calls itself.
        numbers: its values by OBIS groups C, D, E.
        names: what is no number, and the numbers without a unit, as text.
        layout: code, unit and decimals of each line, and the meter's numbers.
        not_understood: lines of another form; each costs what it says, and no more.
    """

    maker: str
    identification: str
    numbers: dict[Code, Number] = field(default_factory=dict)
    names: dict[Code, str] = field(default_factory=dict)
    layout: Layout = ()
    not_understood: tuple[str, ...] = ()


def with_parity(data: bytes) -> bytes:
    """Seven-bit characters with the even parity bit that 7E1 adds."""
    return bytes(byte | (byte.bit_count() & 1) << 7 for byte in data)


def without_parity(data: bytes) -> tuple[bytes, int]:
    """The characters, and how many of them had a wrong parity bit; those become NUL."""
    wrong = sum(byte.bit_count() & 1 for byte in data)
    return bytes(0 if byte.bit_count() & 1 else byte & 0x7F for byte in data), wrong


class D0Reader:
    """Takes bytes as they come and hands out whole, sound readouts.

    Attributes:
        counters: of what was refused: 'parity_errors' (characters), 'crc_errors' (BCC), 'garbage',
            'unconfirmed' (sound, but of a layout that was not seen in the one before).
    """

    def __init__(self, parity: str = 'E') -> None:
        """``parity``: 'E', or 'N' for a head that sends eight bits without one."""
        self.counters: Counter[str] = Counter()
        self._parity = parity
        self._buffer = b''
        self._layout: Layout = ()

    def feed(self, data: bytes) -> list[Telegram]:
        """The readouts that are complete now."""
        if self._parity == 'E':
            data, wrong = without_parity(data)
            if wrong:
                self.counters['parity_errors'] += wrong
        self._buffer += data
        telegrams = []
        while (raw := self._next()) is not None:
            try:
                telegram = decode(raw)
            except D0Error as error:
                self.counters[error.kind] += 1
                continue
            known, self._layout = self._layout, telegram.layout
            if telegram.layout == known:
                telegrams.append(telegram)
            else:
                self.counters['unconfirmed'] += 1
        return telegrams

    @property
    def is_within(self) -> bool:
        """Whether a readout has begun and is not complete."""
        return bool(self._buffer)

    def forget(self) -> None:
        """The line was cut: what is half received is no more than noise."""
        self._drop(len(self._buffer))
        self._layout = ()

    def _next(self) -> bytes | None:
        """The next readout: from its '/' to its BCC, or to the end of its '!' line."""
        start = self._buffer.find(b'/')
        self._drop(len(self._buffer) if start < 0 else start)
        if start < 0:
            return None
        anew = self._buffer.find(b'\n/', 1)
        end = self._buffer.find(b'!\r\n')
        if 0 <= anew < end or (anew >= 0 > end):  # its end was lost: the next one has begun
            self.counters['garbage'] += 1
            self._buffer = self._buffer[anew + 1:]
            return self._next()
        if end < 0:
            if len(self._buffer) > MOST_BYTES:
                self.counters['garbage'] += 1
                self._buffer = b''
            return None
        length = end + 3
        if STX in self._buffer[:length]:
            length += 2
            if len(self._buffer) < length:
                return None
        raw, self._buffer = self._buffer[:length], self._buffer[length:]
        return raw

    def _drop(self, length: int) -> None:
        if self._buffer[:length].strip(b'\r\n\0'):
            self.counters['garbage'] += 1
        self._buffer = self._buffer[length:]


def identification_of(line: str) -> tuple[str, str, str]:
    """Maker, baud rate character and name in an identification line. Raises D0Error."""
    match = _IDENTIFICATION.fullmatch(line)
    if match is None:
        raise D0Error('garbage', f'{line!r} is no identification')
    maker, baudrate, name = match.groups()
    return maker, baudrate, name


def decode(raw: bytes, *, any_block_check: bool = False) -> Telegram:
    """The values of a readout, from its '/' to its BCC or '!' line. Raises D0Error.

    ``any_block_check``: it was edited, so that its block check character says nothing.
    """
    head, _, rest = raw.partition(b'\r\n')
    maker, _, name = identification_of(head.decode('ascii', 'replace'))
    if STX in raw:
        if rest[:1] != bytes((STX,)) or rest[-2] != ETX:
            raise D0Error('garbage', 'STX or ETX where none may be')
        block = 0
        for byte in rest[1:-1]:
            block ^= byte
        if block != rest[-1] and not any_block_check:
            raise D0Error('crc_errors', 'the block check character is wrong')
        rest = rest[1:-2]
    lines = rest[:-3].decode('ascii', 'replace').split('\r\n')  # without the '!' line
    telegram = Telegram(maker, name)
    layout: list[tuple[str, ...]] = [(maker, name)]
    unknown: list[str] = []
    for line in filter(None, map(str.strip, lines)):
        found = _take(line, telegram)
        layout.append(found or ('?',))
        if found is None:
            unknown.append(line)
    if not telegram.numbers and not telegram.names:
        raise D0Error('garbage', 'a readout without a value' + ''.join(
            f': {line!r} is no line of a readout' for line in unknown[:1]))
    return Telegram(maker, name, telegram.numbers, telegram.names, tuple(layout), tuple(unknown))


def _take(line: str, telegram: Telegram) -> tuple[str, ...] | None:
    """Puts one line's value into a telegram; returns its layout, None for no line of a readout."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    medium, _, c, d, e, storage, values = match.groups()
    label = line[:match.start(7)]
    first = values[1:values.index(')')]
    if storage not in PRESENT:
        return label, ''
    code = None
    if (medium, c, d, e) in _MAKERS_NUMBER:
        code = SERIAL[-1]
    elif c.isdigit() and d.isdigit():
        code = usual((int(c), int(d), int(e or 0)))
    if code in SERIAL and medium in (None, '0', '1'):
        if first.strip('0 '):
            telegram.names.setdefault(code, first.strip())
        return label, first
    if code is None or medium not in (None, '1'):
        return label, ''
    number = _NUMBER.fullmatch(first)
    if number is None or not (number[2] or code[:2] == ENERGY[:2]):
        if first:
            telegram.names.setdefault(code, first)
        return label, ''
    telegram.numbers.setdefault(code, Number(float(number[1]), number[2] or ''))
    return label, number[2] or '', str(len(number[1].partition('.')[2]))
