"""What the registers of Phoenix Contact's boards mean (tables/phoenix_*.yaml). Pure.

Both take whole amperes, hold an offer for as long as they have power, and were found to have no
watchdog of their own in any source: the dead-man here and ``withdraw`` are all there is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from charger_control.core.iso61851 import PilotReading
from charger_control.core.units import NAN
from charger_control.drivers.codecs.register_table import document
from charger_control.drivers.lines.modbus_rtu import (
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
)
from charger_control.drivers.pilots.board_check import Assessment
from charger_control.drivers.pilots.board_pilot import DEAD_MAN

_LETTERS = 'ABCDEF'
_BY_COIL, _BY_COIL_F = 3, 2
_SHORT = 0xFFFF


@dataclass(frozen=True, slots=True)
class PhoenixConfig:
    """How a board is run.

    Attributes:
        timeout: s without an answer after which the reading is no longer published.
        may_set_up: serial: 4000 may be written; Ethernet: DIP switch 10 is looked at.
        tethered: the cable is fixed, so no cable rating is reported.
        rate: Hz of polling.
        dead_man: s without a call of ``offer`` after which "no offer" is written.
        check_interval: s between two checks of its settings.
    """

    timeout: float = 1.5
    may_set_up: bool = True
    tethered: bool = False
    rate: float = 5.0
    dead_man: float = DEAD_MAN
    check_interval: float = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """One read: bits for READ_COILS and READ_DISCRETE, else registers."""

    function: int
    address: int
    count: int

    @property
    def is_of_bits(self) -> bool:
        """Whether its answer is bits."""
        return self.function in (READ_COILS, READ_DISCRETE)


Answers = Mapping[Request, Sequence[int]]
"""The last answer to each request."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How the contactor is opened under load: this coil to this value.

    ``released``: the value that takes it back; None: the board restarts and takes it back itself.
    """

    coil: int
    value: bool
    released: bool | None


class Board(ABC):
    """One kind of board.

    Attributes:
        table: its register table.
        coils, current: requests of what it holds: coils from ``enable`` on, and the set current.
        live: requests of each poll.
        set_up: requests of the check at each connection, beside ``coils`` and ``current``.
        optional: requests of registers that one source knows only: a board may refuse them, and is
            run without.
    """

    coils: Request
    current: Request
    live: tuple[Request, ...]
    set_up: tuple[Request, ...]
    optional: frozenset[Request] = frozenset()

    def __init__(self, table: str) -> None:
        """``table``: name of its register table."""
        self.table: Mapping[str, Any] = document(table)
        self.coil: Mapping[str, int] = self.table['coils']
        self.register: Mapping[str, int] = self.table['registers']
        self.current = Request(READ_HOLDING, self.register['set_current'], 1)

    @property
    def check(self) -> tuple[Request, ...]:
        """All requests of the check."""
        return (*self.set_up, self.coils, self.current)

    def is_enabled(self, answers: Answers) -> bool:
        """Whether the board is told to offer."""
        return bool(answers[self.coils][0])

    @abstractmethod
    def assess(self, answers: Answers, *, may_write: bool) -> Assessment:
        """Whether the board's own settings leave the offer to us alone."""

    @abstractmethod
    def opening(self, answers: Answers) -> Opening | None:
        """How to open the contactor; None: not at all."""

    @abstractmethod
    def is_held_open(self, answers: Answers) -> bool:
        """Whether it is told to be in state F."""

    @abstractmethod
    def signaled(self, answers: Answers) -> int:
        """A that the pilot offers, 0 for none."""

    @abstractmethod
    def identity(self, answers: Answers) -> dict[str, str]:
        """What it says of itself."""

    @abstractmethod
    def reading(self, answers: Answers, *, tethered: bool, refusal: str) -> PilotReading:
        """The board's last answers in the words of the port."""


class SerialBoard(Board):
    """EV-CC-AC1-M3 with a serial interface."""

    def __init__(self, status_function: int = READ_HOLDING) -> None:
        """``status_function``: READ_HOLDING, or READ_INPUT where the firmware wants that."""
        super().__init__('phoenix_ev_ser')
        texts = self.table['input_registers']
        self.coils = Request(READ_COILS, self.coil['enable'], 2)
        self.live = (Request(status_function, self.register['status'], 6),)
        self._modes = Request(READ_HOLDING, self.register['enable_mode'], 2)
        self._serial = Request(READ_INPUT, **texts['serial_number'])
        self._firmware = Request(READ_INPUT, **texts['firmware'])
        self.set_up = (self._modes, self._serial, self._firmware)

    def assess(self, answers: Answers, *, may_write: bool) -> Assessment:
        """Only coil 20000 may enable it: the other modes charge without us, or ask input EN."""
        mode = answers[self._modes][0]
        if mode == _BY_COIL:
            return Assessment()
        if not may_write:
            return Assessment(f'it enables charging by itself (4000 is {mode}): write 3 there, or '
                              'set set_enable_mode to true')
        return Assessment(writes=(('enable_mode', _BY_COIL),))

    def opening(self, answers: Answers) -> Opening:
        """State F where the board is set to take it from us, else a restart."""
        if answers.get(self._modes, (0, 0))[1] == _BY_COIL_F:
            return Opening(self.coil['available'], False, True)
        return Opening(self.coil['restart'], True, None)

    def is_held_open(self, answers: Answers) -> bool:
        """See Board."""
        return answers[self._modes][1] == _BY_COIL_F and not answers[self.coils][1]

    def signaled(self, answers: Answers) -> int:
        """The duty cycle's amperes while the status says that there is one."""
        status, _, _, amperage = answers[self.live[0]][:4]
        return amperage if status & 0xFF == ord('2') else 0

    def identity(self, answers: Answers) -> dict[str, str]:
        """See Board."""
        letter_major, version, minor = answers[self._firmware]
        return {'serial_number': _text(answers[self._serial]),
                'firmware': f'{chr(letter_major >> 8)}{letter_major & 0xFF}.{version}.{minor}',
                'enable_mode': str(answers[self._modes][0])}

    def reading(self, answers: Answers, *, tethered: bool, refusal: str) -> PilotReading:
        """See Board."""
        status, cable = answers[self.live[0]][:2]
        error = 'the proximity pilot is shorted' if cable == _SHORT and not tethered else ''
        rating = 0.0 if cable == _SHORT else float(cable)
        return _reading(status >> 8, self.signaled(answers), NAN if tethered else rating, None,
                        error, '', refusal)


class EthernetBoard(Board):
    """EM-CP-PP-ETH.

    Two sources agree on 100, 300 and 400 (evcc, gonium/go-EM-CP-PP-ETH); all else has one, is asked
    for by itself, and does without an answer: then the cable, the errors and the contactor are not
    known, and the contactor cannot be opened under load.
    """

    _CAUSES: Mapping[str, tuple[str, str]] = {
        'diode': ('diode check failed', 'CpDiodeShortCircuit'),
        'over_current': ('over-current', 'SignalledAmperageExceeded'),
        'ventilation': ('the vehicle wants ventilation, there is none', 'VentilationNotAvailable'),
        'contactor': ('the contactor does not follow', 'BoardFault'),
        'pilot': ('no valid state on the control pilot', 'BoardFault'),
        'proximity': ('no valid value on the proximity pilot', 'BoardFault'),
        'cable_13_20': ('a cable of 13 or 20 A is refused', 'BoardFault'),
        'cable_13': ('a cable of 13 A is refused', 'BoardFault'),
        'locking': ('the plug cannot be locked', 'BoardFault'),
        'unlocking': ('the plug cannot be unlocked', 'BoardFault'),
        'unlocked': ('the lock has opened', 'BoardFault')}

    def __init__(self) -> None:
        super().__init__('phoenix_em_eth')
        self.coils = Request(READ_COILS, self.coil['enable'], 1)
        self._status, self._cable, self._dip, self._firmware, self._error = (
            Request(READ_INPUT, self.table['input_registers'][name], count) for name, count in (
                ('status', 1), ('cable_current', 1), ('dip', 1), ('firmware', 2), ('error', 1)))
        self._contactor = Request(READ_DISCRETE, self.table['discrete_inputs']['contactor'], 1)
        self._digital = Request(READ_COILS, self.coil['digital'], 1)
        self._available = Request(READ_COILS, self.coil['available'], 1)
        self.live = (self._status, self._contactor, self._error, self._cable, self.coils,
                     self.current)
        self.set_up = (self._status, self._dip, self._firmware, self._digital, self._available)
        self.optional = frozenset({*self.live, *self.set_up} - {
            self._status, self.coils, self.current})

    def assess(self, answers: Answers, *, may_write: bool) -> Assessment:
        """DIP 10 on, or coil 400 means nothing; and no digital communication."""
        dip = answers.get(self._dip, (1 << 9,))[0]
        if may_write and not dip >> 9 & 1:
            return Assessment(f'its DIP switch 10 is off (104 reads 0x{dip:04x}), so it does not '
                              'ask us whether to charge: set it to on; if it is on, set dip_check '
                              'to false')
        if answers.get(self._digital, (0,))[0]:
            return Assessment('it is set to digital communication (coil 401): clear that coil')
        return Assessment()

    def opening(self, answers: Answers) -> Opening | None:
        """State F, if the board has the coil for it."""
        if self._available not in answers:
            return None
        return Opening(self.coil['available'], False, True)

    def is_held_open(self, answers: Answers) -> bool:
        """See Board."""
        return not answers.get(self._available, (1,))[0]

    def signaled(self, answers: Answers) -> int:
        """The set current while it is enabled and a vehicle is there: it does not tell its duty."""
        there = chr(answers[self._status][0] & 0xFF) in 'BCD'
        return answers[self.current][0] if there and self.is_enabled(answers) else 0

    def identity(self, answers: Answers) -> dict[str, str]:
        """See Board."""
        said = {'not_answered': ', '.join(sorted(
            str(request.address) for request in self.optional if request not in answers)) or 'none'}
        if self._firmware in answers:
            low, high = answers[self._firmware]
            said['firmware'] = f'{low << 16 | high}'
        if self._dip in answers:
            said['dip'] = f'0x{answers[self._dip][0]:04x}'
        return said

    def reading(self, answers: Answers, *, tethered: bool, refusal: str) -> PilotReading:
        """See Board."""
        bits = answers.get(self._error, (0,))[0]
        named = [words for name, words in self._CAUSES.items()
                 if bits >> self.table['error_bits'][name] & 1]
        error, cause = '; '.join(words for words, _ in named), named[0][1] if named else ''
        cable = NAN if tethered else float(answers.get(self._cable, (NAN,))[0])
        ordered = answers.get(self._contactor)
        return _reading(answers[self._status][0], self.signaled(answers), cable,
                        None if ordered is None else bool(ordered[0]), error, cause, refusal)


def _reading(status: int, signaled: int, cable: float, ordered: bool | None, error: str, cause: str,
             refusal: str) -> PilotReading:
    letter = chr(status) if status < 0x80 and chr(status) in _LETTERS else 'S'
    if letter == 'S':
        error = f'unknown status 0x{status:02x}'
    elif letter in 'EF' and not error:
        error = f'the board is in state {letter}'
    cause = cause or ('BoardFault' if error or refusal else '')
    if cause == 'CpDiodeShortCircuit':
        letter = 'R'
    return PilotReading(
        letter=letter, signaled_amperage=float(signaled), cable_amperage=cable,
        contactor_commanded=ordered, error='; '.join(filter(None, (refusal, error))),
        error_cause=cause, unsafe=bool(refusal))


def _text(registers: Sequence[int]) -> str:
    raw = b''.join(register.to_bytes(2, 'big') for register in registers)
    return raw.decode('ascii', 'replace').strip('\0 ')
