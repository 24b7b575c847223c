"""Simulated meters that sign: BSM-WS36A (snapshots, OCMF) and WM3M4 (transactions).

Their signatures are hashes in the form of one: nobody will find them valid. Pure, explicit time.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from charger_control.sim.lines.modbus_rtu import ILLEGAL_ADDRESS, READ_HOLDING, ModbusException
from charger_control.sim.meters.register_device import RegisterMeter

SIGNING_TIME = 2.0
"""s from the order to the signature."""
_KEY = hashlib.sha256(b'no key').digest() * 2


def _signature(text: bytes) -> bytes:
    """SEQUENCE of two INTEGERs of 32 bytes, as a signature on secp256r1 is."""
    r, s = hashlib.sha256(text).digest(), hashlib.sha256(text + b'2').digest()
    numbers = b''.join(b'\x02' + bytes((32,)) + b'\x7f' + n[1:] for n in (r, s))
    return b'\x30' + bytes((len(numbers),)) + numbers


class SigningMeter(RegisterMeter):
    """Holding registers beside those of its table; ``_order`` says what a write does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._holding: dict[int, int] = {}
        self._signed_at = float('inf')
        self._prepare()

    def _prepare(self) -> None:
        """What stands in the registers after power-up."""

    def _order(self, address: int, value: int, now: float) -> None:
        """What a register does that was written."""

    def _sign(self) -> None:
        """What stands in the registers once it has signed."""

    def read(self, function: int, address: int, count: int, now: float) -> list[int]:
        """Registers of the table, or those of signing."""
        if now >= self._signed_at:
            self._signed_at = float('inf')
            self._sign()
        keys = range(address, address + count)
        if function == READ_HOLDING and any(key in self._holding for key in keys):
            return [self._holding.get(key, 0) for key in keys]
        return super().read(function, address, count, now)

    def write(self, address: int, values: list[int], now: float) -> None:
        """Only what signing needs can be written."""
        if any(address + i not in self._holding for i in range(len(values))):
            raise ModbusException(ILLEGAL_ADDRESS)
        for i, value in enumerate(values):
            self._holding[address + i] = value
            self._order(address + i, value, now)

    def _fill(self, address: int, data: bytes, registers: int) -> None:
        padded = data.ljust(2 * registers, b'\0')
        for i in range(registers):
            self._holding[address + i] = int.from_bytes(padded[2 * i:2 * i + 2], 'big')

    def _text(self, address: int, length: int) -> bytes:
        return b''.join(self._holding[address + i].to_bytes(2, 'big')
                        for i in range((length + 1) // 2))[:length]

    @property
    def _energy(self) -> float:
        return round(self.sample['energy_imported'][0], 3)


class SigningBsm(SigningMeter):
    """BSM-WS36A: a snapshot is ordered by writing 2 to its status; its OCMF is read elsewhere."""

    _SNAPSHOTS = ((40521, 41791), (41283, 43291), (41537, 43791))

    def _prepare(self) -> None:
        self._fill(40260, b'', 3)
        self._fill(40279, b'', 170)
        self._fill(40449, b'\x00\x30\x00\x40' + _KEY, 50)
        for snapshot, ocmf in self._SNAPSHOTS:
            self._fill(snapshot + 2, b'\0\0\0\1', 2)
            self._fill(ocmf + 2, b'\0\0\0\1', 498)
        self._pending = (0, 0)
        self._pages = 0

    def _order(self, address: int, value: int, now: float) -> None:
        for pair in self._SNAPSHOTS:
            if address == pair[0] + 3 and value == 2:
                self._pending, self._signed_at = pair, now + SIGNING_TIME

    def _sign(self) -> None:
        snapshot, ocmf = self._pending
        self._pages += 1
        name = self._text(40279, 140).rstrip(b'\0').decode('ascii', 'replace')
        payload = json.dumps({
            'FV': '1.0', 'GI': 'SIM', 'PG': f'T{self._pages}', 'MV': 'SIM', 'IS': True,
            'IT': 'UNDEFINED', 'ID': name, 'RD': [{
                'TX': {41283: 'B', 41537: 'E'}.get(snapshot, 'C'), 'RV': self._energy,
                'RI': '1-0:1.8.0*198', 'RU': 'kWh', 'XV': self._energy, 'ST': 'G'}]},
            separators=(',', ':'))
        signed = _signature(payload.encode()).hex()
        text = f'OCMF|{payload}|' + json.dumps({'SA': 'ECDSA-secp256r1-SHA256', 'SD': signed},
                                               separators=(',', ':'))
        self._fill(ocmf + 4, text.encode('ascii'), 496)
        self._holding[ocmf + 3] = self._holding[snapshot + 3] = 0


class SigningWm3m4(SigningMeter):
    """WM3M4: a measurement begins with B and ends with r; its record has both readings."""

    def _prepare(self) -> None:
        for address in (7000, *range(7051, 7061), 7071):
            self._holding[address] = 0
        self._holding[7052] = 1
        self._fill(7100, b'', 512)
        self._fill(7612, b'', 512)
        self._fill(8124, _KEY, 32)
        self._fill(8188, b'', 40)
        self._begun = 0.0

    def _order(self, address: int, value: int, now: float) -> None:
        if address != 7051:
            return
        state = self._holding[7000]
        if (value == 0x4200 and state) or (value == 0x7200 and not state):
            self._holding[7052] = 131
            return
        self._holding[7052] = 2
        self._signed_at = now + SIGNING_TIME
        if value == 0x4200:
            self._holding[7000], self._begun = 1, self._energy
        elif value == 0x7200:
            self._holding[7000] = 0

    def _sign(self) -> None:
        self._holding[7052] = 15
        if self._holding[7000]:
            return
        given = json.loads(self._text(7100, self._holding[7056]) or b'{}')
        given['RD'] = [{'TX': letter, 'RV': value, 'RU': 'kWh', 'ST': 'G'} for letter, value in (
            ('B', self._begun), ('E', self._energy))]
        text = json.dumps(given, separators=(',', ':')).encode('ascii')
        signature = _signature(text)
        self._fill(7612, text, 512)
        self._fill(8188, signature, 40)
        self._holding[7057], self._holding[7058] = len(text), len(signature)


SIGNING_METERS = {'bsm_ws36a': SigningBsm, 'wm3m4': SigningWm3m4}
"""By the name of the driver."""
