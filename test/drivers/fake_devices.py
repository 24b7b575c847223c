"""An SDM630 and an EVSE-DIN for the fake line, and a line without a pty for a fake clock."""

from __future__ import annotations

import struct
from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from fake_rtu import Request, Unit

from charger_control.drivers.interfaces import AnswerError

FINE_BIT = 1 << 7


def float32(value: float) -> tuple[int, int]:
    high, low = struct.unpack('>HH', struct.pack('>f', value))
    return high, low


class Sdm630(Unit):
    """230 V, 16 A, 3680 W on three phases, 50 Hz, 1234.5 kWh, serial number 21030042."""

    def __init__(self, number: int = 2) -> None:
        super().__init__(number)
        for address in range(0, 0x50, 2):
            self.put(4, address, *float32(0.0))
        self.set_phases(230.0, 16.0, 3680.0)
        self.put(4, 0x46, *float32(50.0))
        self.put(4, 0x48, *float32(1234.5))
        self.put(3, 0xFC00, *divmod(21030042, 0x10000))

    def set_phases(self, voltage: float, amperage: float, power: float) -> None:
        for phase in range(3):
            self.put(4, 0x00 + 2 * phase, *float32(voltage))
            self.put(4, 0x06 + 2 * phase, *float32(amperage))
            self.put(4, 0x0C + 2 * phase, *float32(power))


class Evse(Unit):
    """The board: what 1000 means hangs on bit 7 of 2005; it offers from state B on."""

    def __init__(self, number: int = 1, *, configuration: int = 0, power_on: int = 0,
                 firmware: int = 18, vehicle: int = 3) -> None:
        super().__init__(number)
        self.put(3, 1000, *[0] * 10)
        self.put(3, 2000, *[0] * 18)
        self.put(3, 1002, vehicle, 32, 0, firmware)
        self.put(3, 2000, power_on, number, 6)
        self.put(3, 2005, configuration)
        self.boot()
        self.extra_offer = 0
        self.deaf_to: set[int] = set()

    def __getitem__(self, address: int) -> int:
        self._update()
        return self.registers[3, address]

    def __setitem__(self, address: int, value: int) -> None:
        self.put(3, address, value)

    @property
    def offered(self) -> float:
        """A that the pilot offers, whatever the registers count in."""
        if self[1006] != 2:
            return 0.0
        return self[1001] / (100 if self[2005] & FINE_BIT else 1)

    def boot(self) -> None:
        """Restarts in no time: set current and command are forgotten."""
        self[1000] = self.registers[3, 2000]
        self[1004] = 0

    def read(self, function: int, address: int, count: int) -> list[int] | int:
        self._update()
        return super().read(function, address, count)

    def write(self, address: int, values: tuple[int, ...]) -> int:
        return 0 if address in self.deaf_to else super().write(address, values)

    def _update(self) -> None:
        r = self.registers
        fine = bool(r[3, 2005] & FINE_BIT)
        least, most = (500, 3200) if fine else (5, 32)
        on = r[3, 1000] >= least and r[3, 1002] in (2, 3, 4) and not r[3, 1004] & 1
        self.put(3, 1001, min(r[3, 1000], most) + self.extra_offer if on else 0)
        self.put(3, 1006, 2 if on else 1)


class PhoenixSerial(Unit):
    """EV-CC-AC1-M3: 24000 ff. follow from the coils, 4000 and 22000; ``deaf_to`` some writes."""

    def __init__(self, number: int = 1, *, mode: int = 3, vehicle: str = 'C') -> None:
        super().__init__(number)
        self.vehicle = vehicle
        self.deaf_to: set[int] = set()
        self.extra = 0
        self.put(3, 4000, mode, 0)
        self.put(4, 1021, *[0x3132] * 6)
        self.put(4, 1031, 0x5601, 2, 3)
        self.put(1, 20000, 0, 0)
        self.put(3, 22000, 63)
        self.put(3, 24000, *[0] * 6)

    @property
    def offered(self) -> int:
        r = self.registers
        on = r[3, 4000] == 0 or (r[3, 4000] == 3 and r[1, 20000])
        return r[3, 22000] + self.extra if on and self.vehicle in 'BCD' else 0

    def boot(self) -> None:
        self.put(1, 20000, 0, 0)
        self.put(3, 22000, 63)

    def read(self, function: int, address: int, count: int) -> list[int] | int:
        digit = '2' if self.offered else '1'
        self.put(3, 24000, ord(self.vehicle) << 8 | ord(digit), 32, 0,
                 self.offered or self.registers[3, 22000])
        return super().read(function, address, count)

    def write(self, address: int, values: tuple[int, ...]) -> int:
        return 0 if address in self.deaf_to else super().write(address, values)

    def write_bit(self, address: int, value: bool) -> int:
        if address == 21000:
            self.boot()
        elif (1, address) not in self.registers:
            return 2
        elif address not in self.deaf_to:
            self.registers[1, address] = int(value)
        return 0


class FakeClock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryLine:
    """ModbusLine's reads and writes on units in memory; each takes ``duration`` s of the clock."""

    name = 'memory'

    def __init__(self, clock: FakeClock, *units: Unit, duration: float = 0.05) -> None:
        self.clock = clock
        self.units = {unit.number: unit for unit in units}
        self.duration = duration
        self.log: list[Request] = []
        self.failures: deque[str | None] = deque()
        """Kinds of failure for the next transactions; None: none."""
        self.dead = False
        self._counters: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def counters(self, unit: int) -> Counter[str]:
        return self._counters[unit]

    def read(self, unit: int, function: int, address: int, count: int,
             answer_time: float) -> list[int]:
        self._transact(Request(self.clock.now, unit, function, address, count), answer_time)
        result = self.units[unit].read(function, address, count)
        if isinstance(result, int):
            raise AnswerError('exceptions', f'exception {result}')
        return result

    def write(self, unit: int, address: int, values: Sequence[int], answer_time: float) -> None:
        self._transact(Request(self.clock.now, unit, 16, address, len(values), tuple(values)),
                       answer_time)
        code = self.units[unit].write(address, tuple(values))
        if code:
            raise AnswerError('exceptions', f'exception {code}')

    def read_bits(self, unit: int, function: int, address: int, count: int,
                  answer_time: float) -> list[int]:
        return self.read(unit, function, address, count, answer_time)

    def write_bit(self, unit: int, address: int, value: bool, answer_time: float) -> None:
        self._transact(Request(self.clock.now, unit, 5, address, 1, (int(value),)), answer_time)
        if self.units[unit].write_bit(address, value):
            raise AnswerError('exceptions', 'exception 2')

    def write_one(self, unit: int, address: int, value: int, answer_time: float) -> None:
        self._transact(Request(self.clock.now, unit, 6, address, 1, (value,)), answer_time)
        if self.units[unit].write(address, (value,)):
            raise AnswerError('exceptions', 'exception 2')

    def _transact(self, request: Request, answer_time: float) -> None:
        self.log.append(request)
        kind = self.failures.popleft() if self.failures else None
        if self.dead or kind == 'timeouts':
            self.clock.now += answer_time
            raise AnswerError('timeouts', 'does not answer')
        self.clock.now += self.duration
        if kind is not None:
            raise AnswerError(kind, kind)


class MemoryBus:
    """The bus's part for one device, without a thread: ``run`` gives turns until a time."""

    def __init__(self, line: MemoryLine) -> None:
        self.line = line
        self.clock = line.clock
        self.device = None
        self._quiet_until = self._owed_until = 0.0
        self.woken = 0

    def add(self, device: object) -> None:
        self.device = device
        self.device.line_up()

    def remove(self, device: object, timeout: float = 1.0) -> None:
        self.device = None

    def wake(self) -> None:
        self.woken += 1

    def step(self, until: float) -> bool:
        """One turn if it comes before ``until`` s."""
        if self.device is None:
            return False
        turn = self.device.turn(self.clock.now)
        ready = self._quiet_until if turn.write else max(self._quiet_until, self._owed_until)
        at = max(turn.at, ready, self.clock.now)
        if at > until:
            self.clock.now = max(self.clock.now, until)
            return False
        self.clock.now = at
        try:
            self.device.transact(self.line)
        except AnswerError as error:
            if error.may_come_late and not turn.write:
                self._owed_until = self.clock.now + self.device.answer_time
            self.device.failed(error)
        self._quiet_until = self.clock.now + self.device.quiet
        return True

    def run(self, seconds: float, feed: object = None) -> None:
        """Lets time pass; ``feed()`` is called every 50 ms, as the node does."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            if feed is not None:
                feed()
            slice_end = min(end, self.clock.now + 0.05)
            while self.step(slice_end):
                pass
