"""One number (or text) of a device in its registers: types, word order, scale, missing values."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

NUMBERS = {'int16': 'h', 'uint16': 'H', 'int32': 'i', 'uint32': 'I', 'int64': 'q', 'uint64': 'Q',
           'float32': 'f', 'float64': 'd'}
DECADES = {'t5': False, 't6': True}
"""Iskra: a power of ten (signed byte), then 24 bits; whether those are signed."""
TEXT = 'text'
TYPES = (*NUMBERS, *DECADES, TEXT)
MOST_EXPONENT = 10
"""SunSpec's scale factors are -10..10; beyond it, and 0x8000, there is none."""


@dataclass(frozen=True, slots=True)
class Value:
    """Where a quantity lies, and how its registers are read; keys as in register_table.py."""

    function: int
    addresses: tuple[int, ...]
    type: str
    scale: float = 1.0
    not_available: int | None = None
    tenfold_above: float = math.inf
    sum_of: str = ''
    scale_register: int | None = None
    count: int = 0

    @property
    def registers(self) -> int:
        """How many registers one number (or the text) takes."""
        if self.type == TEXT:
            return self.count
        return 2 if self.type in DECADES else struct.calcsize(NUMBERS[self.type]) // 2

    def decode(self, registers: Sequence[int], word_order: str,
               factor: Sequence[int] | None = None) -> float:
        """The number in these registers, scaled; NaN where the device has none.

        Args:
            registers: as read.
            word_order: 'big' or 'little'.
            factor: what ``scale_register`` holds, if there is one: a signed power of ten.
        """
        raw = _bytes(registers if word_order == 'big' else list(reversed(registers)))
        if self.not_available is not None and int.from_bytes(raw, 'big') == self.not_available:
            return math.nan
        if self.type in DECADES:
            mantissa = int.from_bytes(raw[1:], 'big', signed=DECADES[self.type])
            number = _times_ten(mantissa, int.from_bytes(raw[:1], 'big', signed=True))
        else:
            number = struct.unpack(f'>{NUMBERS[self.type]}', raw)[0]
        if self.scale_register is not None:
            exponent = int.from_bytes(_bytes(factor or ()), 'big', signed=True)
            if factor is None or abs(exponent) > MOST_EXPONENT:
                return math.nan
            number = _times_ten(number, exponent)
        if self.scale != 1.0:  # a serial number stays a whole one
            number *= self.scale
        if not math.isfinite(number):
            return math.nan
        return number / 10.0 if number > self.tenfold_above else number

    def decode_text(self, registers: Sequence[int]) -> str:
        """The text in these registers: printable ASCII, without what pads it."""
        text = _bytes(registers).split(b'\0')[0].decode('ascii', 'replace')
        return ''.join(c for c in text if c.isascii() and c.isprintable()).strip()


def _bytes(registers: Sequence[int]) -> bytes:
    return struct.pack(f'>{len(registers)}H', *registers)


def _times_ten(number: float, exponent: int) -> float:
    """``number`` times ten to the ``exponent``; divided by where that is the exact way."""
    return number * 10.0**exponent if exponent >= 0 else number / 10.0**-exponent
