"""IEC 62056-21 meters behind a D0 head: those that push, and those that are asked (modes A, B, C).

Asking, mode C: ``/?!`` at 300 bit/s, the identification comes with the speed the meter offers, the
answer ACK 0 Z 0 accepts it, then both switch, then the readout comes. Mode B switches
without an answer, mode A stays. Times: IEC 62056-21, 6.3 and 6.4: the meter reacts within 0.2 to
1.5 s, characters are at most 1.5 s apart.
"""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Mapping
from statistics import median
from typing import Any

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.drivers.codecs.iec62056_21 import (
    ACK,
    BAUDRATES,
    MODE_B_BAUDRATES,
    MOST_BYTES,
    REQUEST,
    D0Error,
    D0Reader,
    Telegram,
    identification_of,
    with_parity,
    without_parity,
)
from charger_control.drivers.codecs.obis import SERIAL, Number, reading_of
from charger_control.drivers.interfaces import AnswerError
from charger_control.drivers.lines.bus import Bus, Buses, Turn
from charger_control.drivers.lines.optical import HeadLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.meters.optical import LISTEN, TIMEOUT, HeadMeter
from charger_control.drivers.options import Option

_PRINTED = re.compile(r'\d[A-Z]{3}[0-9A-F]{2}\d{8}')
"""A meter's number by DIN 43863-5: medium, maker, block, figure."""
PUSH, PULL = 'push', 'pull'
SIGN_ON = 300
"""bit/s at which a meter is asked."""
REACTION = 1.5
"""s, the longest until the meter answers, and between two of its characters."""
PUSH_BAUDRATE = 9600
"""bit/s of meters that push."""
PUSH_TIME, PUSH_EVERY = 5.0, 2
"""s for which is listened whether the meter pushes (they do every 1 to 4 s), after how many
requests without an answer."""
SWITCH = 0.1
"""s between the last bit of the answer and the new speed; from 0.2 s on the meter may send."""


class D0Meter(HeadMeter):
    """Implements interfaces.Meter."""

    def __init__(self, bus: Bus[HeadLine], mode: str = PUSH, parity: str = 'E',
                 timeout: float = TIMEOUT, period: float = 5.0) -> None:
        """Args:
            bus: of its line.
            mode: PUSH or PULL.
            parity: 'E', or 'N' for a head that sends eight bits without one.
            timeout: s without a readout after which the reading is no longer published.
            period: s from one request to the next; a readout may take longer.
        """
        super().__init__(bus, timeout)
        self._is_asked, self._parity = mode == PULL, parity
        self._period = period
        self._reader = D0Reader(parity)
        self._next_at = 0.0
        self._unanswered = 0
        self._recent: deque[Telegram] = deque(maxlen=3)
        self._identity['model'] = 'D0'

    def turn(self, now: float) -> Turn:
        """See bus.Device."""
        return Turn(self._next_at if self._is_asked else 0.0)

    def transact(self, line: HeadLine) -> None:
        """Listens for a moment, or asks for one readout."""
        if self._is_asked:
            self._next_at = max(self._next_at + self._period, self._now())
            self._ask(line)
            if len(self._recent) < 3:  # the first reading takes several readouts
                self._next_at = self._now()
            self._waited('the readouts that come are not sound, see the counters')
            return
        if not self._take(line.read_within(LISTEN)):
            self._waited('is the head on the meter, and does it push? else set mode: pull')

    def line_down(self, error: str) -> None:
        """Forgets what was half received."""
        self._reader.forget()
        self._recent.clear()
        super().line_down(error)

    def _rejected(self) -> Counter[str]:
        return self._reader.counters

    def _take(self, data: bytes) -> bool:
        """Whether a reading came of these bytes."""
        taken = False
        for telegram in self._reader.feed(data):
            number = serial_number_of(telegram)
            if telegram.not_understood:
                self._identity['not_understood'] = '; '.join(telegram.not_understood[:3])
            self._identity['model'] = f'{telegram.maker} {telegram.identification}'.strip()
            self._identity['serial_number'] = number
            reading = self._reading(telegram, number)
            if reading is not None:
                self._took(reading)
                taken = True
        return taken

    def _reading(self, telegram: Telegram, number: str) -> MeterReading | None:
        """The median of this readout and the two before it, value by value; None: too few yet.

        A block check passes bytes that changed places, and mode D has none: what one readout in
        three says wrong is never published, at the cost of values that are one readout old.
        """
        if self._recent and self._recent[-1].layout != telegram.layout:
            self._recent.clear()
        self._recent.append(telegram)
        if len(self._recent) < 3:
            return None
        middle = {code: Number(median(t.numbers[code].number for t in self._recent), value.unit)
                  for code, value in telegram.numbers.items()}
        return reading_of(middle, number)

    def _ask(self, line: HeadLine) -> None:
        """One readout, from the request to its end. Raises AnswerError.

        A meter that pushes does not answer; it is told apart after some failures.
        """
        try:
            self._ask_once(line)
        except AnswerError as error:
            self._unanswered += 1
            if self._unanswered % PUSH_EVERY == 0 and self._pushes(line):
                raise AnswerError(error.kind, f'{line.name}: the meter sends by itself and does '
                                  'not answer: set mode: push') from error
            raise
        self._unanswered = 0

    def _ask_once(self, line: HeadLine) -> None:
        line.set_baudrate(SIGN_ON)
        while line.read_within(0.0):
            pass  # what is left of the last one
        line.write(self._sent(REQUEST))
        identification = self._line(line)
        try:
            _, character, _ = identification_of(identification.lstrip('\0\r\n'))
        except D0Error as error:
            raise AnswerError(error.kind, f'{line.name}: {error}') from error
        baudrate = BAUDRATES.get(character) or MODE_B_BAUDRATES.get(character, SIGN_ON)
        accepted = bytes((ACK,)) + f'0{character}0\r\n'.encode() if character in BAUDRATES else b''
        # an adapter may say that all is out when it is not: by the clock
        switch_at = time.monotonic() + len(accepted) * 10 / SIGN_ON + SWITCH
        if accepted:
            line.write(self._sent(accepted))
        if baudrate != SIGN_ON:
            time.sleep(max(0.0, switch_at - time.monotonic()))
            line.set_baudrate(baudrate)
        self._identity['baudrate'] = str(baudrate)
        # the identification belongs to the readout: the parser gets both
        self._take(self._sent((identification + '\r\n').encode('ascii', 'replace')))
        end = self._now() + MOST_BYTES * 10 / baudrate
        while self._now() < end:
            data = self._await(line, REACTION)
            if not data:
                raise AnswerError('garbage' if self._reader.is_within else 'timeouts',
                                  f'{line.name}: the readout does not come, or not to its end')
            self._take(data)
            if not self._reader.is_within:
                return

    def _line(self, line: HeadLine) -> str:
        """The identification: up to CR LF. Raises AnswerError."""
        received = b''
        while not received.endswith(b'\r\n') and len(received) < 64:
            data = self._await(line, REACTION)
            if not data:
                raise AnswerError('garbage' if received else 'timeouts', f'{line.name}: the meter '
                                  'does not answer: is the head on it the right way round?')
            if self._parity == 'E':
                data = without_parity(data)[0]
            received += data
            echo = received.find(REQUEST)
            if echo >= 0:  # some heads reflect what they send
                received = received[echo + len(REQUEST):]
        return received.decode('ascii', 'replace').removesuffix('\r\n')

    def _pushes(self, line: HeadLine) -> bool:
        """Whether the meter sends readouts unasked, at the speed that pushing meters have."""
        reader = D0Reader(self._parity)
        line.set_baudrate(PUSH_BAUDRATE)
        end = self._now() + PUSH_TIME
        while (rest := end - self._now()) > 0.0 and not self._is_closed:
            reader.feed(self._await(line, min(rest, REACTION)))
            if reader.counters['unconfirmed']:
                return True
        return False

    def _sent(self, text: bytes) -> bytes:
        return with_parity(text) if self._parity == 'E' else text


def serial_number_of(telegram: Telegram) -> str:
    """The meter's number as printed on it; '' where the readout has none.

    Of several, the one in the form of DIN 43863-5 is on the meter; another is its owner's.
    """
    numbers = [telegram.names[code] for code in SERIAL if code in telegram.names]
    return next(filter(_PRINTED.fullmatch, numbers), numbers[0] if numbers else '')


def options() -> tuple[Option, ...]:
    """What can be set."""
    return (
        Option('port', str, 'serial port, best a name under /dev/serial/by-id'),
        Option('mode', str, 'push: it sends by itself; pull: it is asked (modes A, B, C)', PULL,
               choices=(PUSH, PULL)),
        Option('baudrate', int, 'speed of a meter that pushes', 9600, 'bit/s', 300, 115_200),
        Option('parity', str, 'E: 7E1, as in the standard; N: 8N1', 'E', choices=('E', 'N')),
        Option('period', float, 'from one request to the next; a readout may take longer', 5.0,
               's', 1.0, 3600.0),
        Option('timeout', float, 'without a readout, until the reading is no longer published',
               30.0, 's', 1.0, 7200.0),
    )


def open_meter(values: Mapping[str, Any], buses: Buses) -> D0Meter:
    """The meter; ``values`` checked against ``options``. A head has a line of its own."""
    baudrate = values['baudrate'] if values['mode'] == PUSH else SIGN_ON
    # eight bits: the parity bit is the reader's
    bus = buses.own(HeadLine(values['port'], SerialSettings(baudrate)))
    return D0Meter(bus, values['mode'], values['parity'], values['timeout'], values['period'])
