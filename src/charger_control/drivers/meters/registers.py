"""Reads any Modbus meter by its register table.

Blocks with ``every: 1`` are read each cycle and make a reading; its time is that of the oldest of
them. The others are read in between and keep their value. One whose block was not answered for
``timeout`` s beyond twice its interval (once may be lost) becomes NaN ("not measured") in the next
reading, so fresh currents never stand beside an old register unnoticed.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.units import NAN, UNKNOWN_PHASES, Phases
from charger_control.drivers.codecs.register_table import Block, RegisterTable
from charger_control.drivers.codecs.register_values import TEXT, Value
from charger_control.drivers.interfaces import AnswerError, SignedDone
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.bus import Bus, Turn
from charger_control.drivers.lines.device import ModbusDevice
from charger_control.drivers.lines.modbus_frames import read_answer_length
from charger_control.drivers.lines.modbus_rtu import ModbusLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.meters.signing import Occasion, Procedure, Signer

RETRY_DELAY = (0.5, 10.0)
"""s between requests to a silent meter, growing: the board on its line needs the time."""
ONCE_TRIES = 3
"""Tries per connection to read what does not change: some devices never answer that."""
RATE, TIMEOUT = 5.0, 1.0
"""Hz wanted and s of silence allowed, unless the device is slower."""
REQUEST_LENGTH, FRAME_SILENCE = 8, 3.5
"""Characters of a request to read, and of the silence around each frame."""
LOST_AFTER = 2
"""Failures in a row to read the currents after which another meter may be there."""
DRAWS = 0.5
"""A per phase from which a vehicle takes energy, and not only a meter noise."""


@dataclass(slots=True)
class _Read:
    """The last answer of a block."""

    registers: list[int]
    at: float


class ModbusMeter(ModbusDevice[MeterReading]):
    """Implements interfaces.Meter for a register table."""

    def __init__(self, bus: Bus[ModbusLine], table: RegisterTable, unit: int,
                 timeout: float = TIMEOUT, rate: float = RATE,
                 procedure: Procedure | None = None) -> None:
        """Args:
            bus: of its line.
            table: register map.
            unit: Modbus address.
            timeout: s without an answer after which the reading is no longer published.
            rate: Hz, readings wanted; the line may give fewer.
            procedure: how it is brought to sign its values; None: it is not.
        """
        super().__init__(bus, unit, table.quiet, table.answer_time)
        self.signs = procedure is not None
        self._signer = Signer(procedure, bus.clock) if procedure else None
        self._is_signing = False
        """The last transaction was the signer's."""
        self.timeout = timeout
        self._table = table
        self._period = 1.0 / rate
        self._identity['model'] = table.model
        self._fast = [block for block in table.blocks if block.every == 1]
        self._slow = [block for block in table.blocks if block.every > 1]
        self._once = [block for block in table.blocks if block.every == 0]
        self._reads: dict[Block, _Read] = {}
        self._queue: deque[Block] = deque()
        self._tries: dict[Block, int] = {}
        self._due: dict[Block, int] = {}
        self._block: Block | None = None
        """The one that is being read."""
        self._is_lost = False
        self._draws = self._held = False
        self._cycle = 0
        self._cycle_at = 0.0
        self._backoff = Backoff(*RETRY_DELAY)

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        at = 0.0 if self._queue else self._cycle_at
        return Turn(at if self._signer is None else min(at, self._signer.due()))

    def sign(self, kind: str, tag: str, done: SignedDone) -> None:
        """See interfaces.SigningMeter."""
        if self._signer is None:
            raise ValueError('signed_values is off: this meter is not asked to sign')
        now = time.time()
        offset = (time.localtime(now).tm_gmtoff or 0) // 60
        self._signer.request(Occasion(kind, tag, now, offset), done)
        self._bus.wake()

    def transact(self, line: ModbusLine) -> None:
        """See bus.Device; where both are due, reading and signing take turns."""
        now, was_signing, self._is_signing = self._now(), self._is_signing, False
        reads = bool(self._queue) or self._cycle_at <= now
        if self._signer is not None and self._signer.due() <= now and not (reads and was_signing):
            self._is_signing = True
            self._signer.step(line, self._unit, self.answer_time)
            return
        if not self._queue:
            self._begin_cycle()
        block = self._queue[0]
        if block in self._slow:  # sooner if it fails
            self._due[block] = self._cycle + max(1, block.every // 5)
        if block in self._once:
            self._tries[block] = self._tries.get(block, 0) + 1
        self._block = block
        registers = line.read(self._unit, block.function, block.address, block.count,
                              self.answer_time)
        self._queue.popleft()
        if block in self._fast and self._is_lost:
            self._start_over()  # who it is comes before what it measures
            return
        self._reads[block] = _Read(registers, self._now())
        if block in self._slow:
            self._due[block] = self._cycle + block.every
        self._failures = 0
        self._backoff.reset()
        if block in self._once:
            self._tries[block] = ONCE_TRIES
            self._identify()
        if block in self._fast and not any(other in self._fast for other in self._queue):
            self._fast_read()
        elif self._held and not self._queue:
            self._say()

    def say(self, what: str, value: str) -> None:
        """Adds something to what is said of the meter; before it is started."""
        self._identity[what] = value

    def _fast_read(self) -> None:
        """A reading is there; one in which the current has ended waits for its last register."""
        drew, self._draws = self._draws, any(a >= DRAWS for a in self._phases('amperage'))
        self._held = drew and not self._draws and bool(self._slow)
        if self._held:
            self._queue.extend(block for block in self._slow if block not in self._queue)
        else:
            self._say()

    def _say(self) -> None:
        self._held = False
        self._publish('', self._reading(), min(self._reads[fast].at for fast in self._fast))

    def failed(self, error: AnswerError) -> None:
        """Starts the cycle anew: at once after a first failure, then ever later."""
        if self._is_signing and self._signer is not None:
            self._signer.failed(error)
            self._publish(self._sample.error)
            return
        if self._block in self._once:
            self._publish(str(error))
            self._queue.popleft()
            return
        super().failed(error)
        self._held = False
        self._queue.clear()
        self._cycle_at = self._now()
        if self._failures > 1:
            self._cycle_at += self._backoff.delay()
        if self._failures >= LOST_AFTER and self._block in self._fast:
            self._is_lost = True

    def line_up(self) -> None:
        """Starts over."""
        super().line_up()
        self._start_over()
        self._failures = 0
        self._backoff.reset()

    def line_down(self, error: str) -> None:
        """See bus.Device."""
        if self._signer is not None:
            self._signer.interrupt(error)
        super().line_down(error)

    def _start_over(self) -> None:
        self._is_lost = self._held = False
        self._queue.clear()
        self._tries.clear()
        self._due.clear()
        self._cycle_at = self._now()

    def _begin_cycle(self) -> None:
        now = self._now()
        self._cycle += 1
        # On schedule if it can be caught up with, else from now on.
        late = now - self._cycle_at
        self._cycle_at = (self._cycle_at if late < self._period else now) + self._period
        due = [block for block in self._slow if self._due.get(block, 0) <= self._cycle]
        first = [block for block in due if self._fresh(block) is None]
        unread = [block for block in self._once if self._tries.get(block, 0) < ONCE_TRIES]
        if unread:
            self._identity.pop('serial_number', None)
        self._queue.extend(unread + first + self._fast)
        self._queue.extend(block for block in due if block not in first)

    def _reading(self) -> MeterReading:
        energy = self._number('energy_imported')
        return MeterReading(
            voltage=self._phases('voltage'), amperage=self._phases('amperage'),
            frequency=self._number('frequency'), active_power=self._number('active_power'),
            energy_imported=energy, serial_number=self._identity.get('serial_number', ''),
            phase_power=self._phases('phase_power'))

    def _identify(self) -> None:
        value = self._table.values.get('serial_number')
        if value is None:
            return
        if value.type == TEXT:
            text = value.decode_text(self._registers(value, value.addresses[0]) or [])
        else:
            number = self._number('serial_number')
            text = '' if math.isnan(number) else str(int(number))
        if text:
            self._identity['serial_number'] = text

    def _phases(self, name: str) -> Phases:
        value = self._table.values.get(name)
        if value is None:
            return UNKNOWN_PHASES
        known = [self._decoded(value, address) for address in value.addresses]
        l1, l2, l3 = known + [NAN] * (3 - len(known))
        return l1, l2, l3

    def _number(self, name: str) -> float:
        value = self._table.values.get(name)
        if value is None:
            return NAN
        if value.sum_of:
            summed = self._table.values[value.sum_of]
            return sum(self._decoded(summed, address) for address in summed.addresses)
        return self._decoded(value, value.addresses[0])

    def _decoded(self, value: Value, address: int) -> float:
        registers = self._registers(value, address)
        if registers is None:
            return NAN
        at = value.scale_register
        factor = None if at is None else self._registers(value, at, 1)
        return value.decode(registers, self._table.word_order, factor)

    def _registers(self, value: Value, address: int, count: int = 0) -> list[int] | None:
        """What was read there, None where nothing fresh was; ``count`` 0: as many as it takes."""
        block = self._table.block_of(value, address, count)
        read = self._fresh(block) if block is not None else None
        if block is None or read is None:
            return None
        first = address - block.address
        return read.registers[first:first + (count or value.registers)]

    def _fresh(self, block: Block) -> _Read | None:
        """The block's last answer, unless it is too old to stand beside fresh ones."""
        read = self._reads.get(block)
        if read is not None and block.every > 1:
            age = self._now() - read.at
            return read if age <= self.timeout + 2 * block.every * self._period else None
        return read


def highest_rate(table: RegisterTable, settings: SerialSettings | None) -> float:
    """Hz that the line allows at most: bytes of all requests and answers, and the silences.

    A device that answers at once is taken for granted; 16 ms of a USB adapter are not counted.
    ``settings`` None: over TCP only the device's own silences count (the line behind a gateway
    is not known here).
    """
    def duration(block: Block) -> float:
        characters = REQUEST_LENGTH + read_answer_length(block.count) + 2 * FRAME_SILENCE
        return characters * (settings.character_time if settings else 0.0) + table.quiet

    return 1.0 / sum(duration(block) / block.every for block in table.blocks if block.every)
