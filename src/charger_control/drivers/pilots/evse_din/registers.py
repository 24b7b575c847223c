"""What the registers of an EVSE-DIN/EVSE-WB mean (tables/evse_din.yaml). Pure; for evse_din.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from charger_control.core.iso61851 import PilotReading
from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE, NAN
from charger_control.drivers.codecs.register_table import document
from charger_control.drivers.pilots.board_check import Assessment

FINE_STEPS_FIRMWARE = 17
"""Below this no source knows of 0.01 A; of 17 some say so, some from 18 on: the board is asked."""
OLD_FIRMWARE = 15
"""The last firmware that has only the registers up to 1006 and 2007."""
FINE, WHOLE = 0.01, 1.0
"""A, what 1 in a current register means with and without CONFIG_FINE_STEPS."""
LEAST_FINE_OFFER = 500
"""Raw: an offer in 0.01 A is never less than 5 A, so a smaller number is one of whole amperes."""
OFFER_TOLERANCE = 0.1
"""A that an offer may read above what was set: 0.1 % of duty is 0.06 A (domain.md 1.3)."""
_LETTERS = {1: 'A', 2: 'B', 3: 'C', 4: 'D', 5: 'F'}
_STEADY, PWM, OFF = 1, 2, 3
"""Register 1006."""
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Map:
    """The register table of the board.

    Attributes:
        address: of each register, by name.
        live, set_up: (first address, count, count of older firmware) of the blocks that are read.
        status_bits, configuration_bits: bit numbers by name.
        defaults, quiet, answer_time, model: as in every table.
    """

    address: Mapping[str, int]
    live: tuple[int, int, int]
    set_up: tuple[int, int, int]
    status_bits: Mapping[str, int]
    configuration_bits: Mapping[str, int]
    defaults: Mapping[str, Any]
    quiet: float
    answer_time: float
    model: str


@cache
def register_map() -> Map:
    """The map in tables/evse_din.yaml."""
    table = document('evse_din')
    live, set_up = ((block['address'], block['count'], block['least'])
                    for block in (table['reads']['live'], table['reads']['set_up']))
    return Map(table['registers'], live, set_up, table['status_bits'],
               table['configuration_bits'], table['defaults'], table['quiet'],
               table['answer_time'], table['model'])


@dataclass(frozen=True, slots=True)
class Live:
    """Registers 1000..1007 as read; currents raw, in the board's unit of the moment.

    ``status``: None where older firmware has no such register.
    """

    set_current: int
    offered_current: int
    vehicle_state: int
    cable_current: int
    command: int
    firmware: int
    evse_state: int
    status: int | None = None

    @classmethod
    def of(cls, registers: Sequence[int]) -> Live:
        """From the answer to a ``live`` read, of either width."""
        board = register_map()
        at = {name: board.address[name] - board.live[0] for name in cls.__dataclass_fields__}
        return cls(**{name: registers[i] for name, i in at.items() if i < len(registers)})

    @property
    def offered(self) -> int:
        """Raw current that the pilot offers; 0 while it is steady or off."""
        return 0 if self.evse_state in (_STEADY, OFF) else self.offered_current

    @property
    def turned_off(self) -> bool:
        """Whether the command to be off stands."""
        return bool(self.command & 1)

    def has(self, name: str) -> bool:
        """Whether a status bit is set; False where there are none."""
        return bool((self.status or 0) >> register_map().status_bits[name] & 1)


@dataclass(frozen=True, slots=True)
class SetUp:
    """The registers from 2000 on that an offer hangs on; ``power_on_current`` raw."""

    power_on_current: int
    configuration: int

    @classmethod
    def of(cls, registers: Sequence[int]) -> SetUp:
        """From the answer to the ``set_up`` read."""
        board = register_map()
        return cls(**{name: registers[board.address[name] - board.set_up[0]]
                      for name in cls.__dataclass_fields__})

    def has(self, name: str) -> bool:
        """Whether a configuration bit is set."""
        return bool(self.configuration >> register_map().configuration_bits[name] & 1)


def assess(firmware: int, set_up: SetUp, *, fine_steps: bool, set_power_on_current: bool,
           refuted: bool) -> Assessment:
    """Whether the board is what was configured, and what to set if not.

    ``refuted``: it was seen not to count by its bit for 0.01 A.
    """
    refusals = {
        'it gives no firmware number (1005): is it an EVSE-DIN/EVSE-WB?': firmware == 0,
        'it is disabled (2005 bit 14): clear that bit': set_up.has('disable_evse'),
        f'it offers current by itself after a restart (2000 is {set_up.power_on_current}): write 0 '
        'there, or set set_power_on_current to true':
            set_up.power_on_current > 0 and not set_power_on_current,
        'it disables itself after each charge (2005 bit 13): clear that bit, or set '
        'set_power_on_current to true':
            set_up.has('disable_after_charge') and not set_power_on_current,
        f'firmware {firmware} has no 0.01 A steps (from {FINE_STEPS_FIRMWARE} on): set fine_steps '
        'to false': fine_steps and firmware < FINE_STEPS_FIRMWARE,
        'it keeps 2005 bit 7 but counts in whole amperes: set fine_steps to false':
            fine_steps and refuted,
        'it counts in 0.01 A (2005 bit 7) though fine_steps is false: set fine_steps to true, or '
        'clear that bit': not fine_steps and set_up.has('fine_steps'),
    }
    for words, applies in refusals.items():
        if applies:
            return Assessment(words)
    return _to_write(set_up, fine_steps=fine_steps)


def _to_write(set_up: SetUp, *, fine_steps: bool) -> Assessment:
    bits = register_map().configuration_bits
    configuration = set_up.configuration & ~(1 << bits['disable_after_charge'])
    lost = 'it disables itself after each charge again (2005 bit 13)'
    if fine_steps and not set_up.has('fine_steps'):
        configuration |= 1 << bits['fine_steps']
        lost = 'it lost its 0.01 A steps (2005 bit 7)'
    writes: list[tuple[str, int]] = []
    if set_up.power_on_current:
        writes.append(('power_on_current', 0))
    if configuration != set_up.configuration:
        writes.append(('configuration', configuration))
    return Assessment(writes=tuple(writes), lost=lost)


def raw_offer(amperage: float | None, unit: float) -> int:
    """The value of register 1000 for an offer: rounded down, 0 for none.

    Args:
        amperage: A; None, NaN, infinite or below 6 A is no offer; 80 A is the most.
        unit: A per count, FINE or WHOLE.
    """
    if amperage is None or not math.isfinite(amperage) or amperage < MIN_AMPERAGE - _ROUNDING:
        return 0
    return math.floor(min(amperage, MAX_AMPERAGE) / unit + _ROUNDING)


def amperes(raw: int) -> float:
    """A that a current register means. The unit is told by the number itself: a board that lost
    its unit must not be taken to offer a hundredth of what it does."""
    return raw / 100.0 if raw >= LEAST_FINE_OFFER else float(raw)


def objection(live: Live, allowed: set[int], excused: float, unit: float) -> str:
    """What speaks against the board's answer, in words; '' for nothing.

    Args:
        live: registers as read.
        allowed: raw values that it may hold as set current.
        excused: A, an earlier offer that it may still be lowering.
        unit: A per count.
    """
    told = max(map(amperes, allowed))
    holds, offers = amperes(live.set_current), amperes(live.offered)
    if live.set_current not in allowed and (
            holds > told or _is_of_other_unit(live.set_current, unit)):
        return (f'it holds {holds:g} A by itself (told was {told:g} A): it restarted or was set by '
                'hand')
    if offers > excused:
        if _is_of_other_unit(live.offered, unit):
            return f'it does not count in {unit:g} A any more (1001 is {live.offered})'
        if offers > told + OFFER_TOLERANCE:
            return f'it offers {offers:g} A, told was {told:g} A'
    return ''


def _is_of_other_unit(raw: int, unit: float) -> bool:
    return raw != 0 and (raw >= LEAST_FINE_OFFER) != (unit == FINE)


def reading(live: Live, *, tethered: bool, refusal: str) -> PilotReading:
    """The board's answer in the words of the port.

    Args:
        live: registers as read.
        tethered: the cable is fixed, so what the proximity pilot reads means nothing.
        refusal: why the board must not be given an offer, '' for no reason.
    """
    letter = _LETTERS.get(live.vehicle_state, 'S')
    error, cause = '', ''
    if live.has('diode_failed'):
        letter, error, cause = 'R', 'diode check failed', 'CpDiodeShortCircuit'
    elif live.has('ventilation_failed'):
        error, cause = 'the vehicle wants ventilation, there is none', 'VentilationNotAvailable'
    elif live.has('rcd_error'):
        error, cause = 'residual current (RCD) error', 'BoardFault'
    elif letter == 'F':
        error, cause = 'the board reports a failure', 'BoardFault'
    elif letter == 'S':
        error, cause = f'unknown vehicle state {live.vehicle_state} (1002)', 'BoardFault'
    return PilotReading(
        letter=letter, signaled_amperage=amperes(live.offered),
        cable_amperage=NAN if tethered or not live.cable_current else float(live.cable_current),
        contactor_commanded=None if live.status is None else live.has('relay_on'),
        error='; '.join(filter(None, (refusal, error))),
        error_cause=cause or ('BoardFault' if refusal else ''), unsafe=bool(refusal))
