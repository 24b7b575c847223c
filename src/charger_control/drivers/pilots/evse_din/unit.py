"""What an EVSE-DIN/EVSE-WB is watched for because no register tells: how many registers it has,
whether it counts in 0.01 A, and whether it is off by itself. Pure; for evse_din.py.
"""

from __future__ import annotations

import math
from collections.abc import Set

from charger_control.core.iso61851.faults import Since
from charger_control.drivers.pilots.evse_din.registers import (
    LEAST_FINE_OFFER,
    OFF,
    PWM,
    Live,
    amperes,
)

UNIT_TEST = 6
"""Raw: 0.06 A, no offer, to a board that counts in 0.01 A, and 6 A, the least offer there is, to
one that counts in whole amperes. So it harms neither, and the pilot shows which it is."""
TEST_TIME = 0.3
"""s for which the pilot must be steady after UNIT_TEST, with a vehicle there."""
OFF_TIME = 2.0
"""s for which a board may be off before it is said."""
WIDER_TRIES = 3
"""How often, at each meeting, a board with a newer firmware's number is asked for all registers
after it has answered the few: one lost answer must not cost its status bits."""
PRESENT = (2, 3, 4)
"""Register 1002: a vehicle is there."""


class BlockRead:
    """How many registers of a block are asked for: all, or only those that older firmware has.

    A board refuses what is too much, or does not answer (then it cannot be told from a silent one),
    so while no width was answered the two take turns.
    """

    def __init__(self, address: int, count: int, least: int) -> None:
        """``count``, ``least``: registers from ``address`` on, of newer and of older firmware."""
        self._address, self._counts = address, (count, least)
        self.is_narrow = False
        self._sure = False
        self._tries = WIDER_TRIES

    @property
    def request(self) -> tuple[int, int]:
        """Address and count to ask for now."""
        return self._address, self._counts[self.is_narrow]

    def met_anew(self) -> None:
        """The board may be another one."""
        self._sure, self._tries = False, WIDER_TRIES

    def answered(self, *, may_have_more: bool) -> None:
        """The request was answered; ``may_have_more``: by its firmware the board has them all."""
        self._sure = True
        if self.is_narrow and may_have_more and self._tries:
            self._tries -= 1
            self.is_narrow = self._sure = False

    def failed(self) -> bool:
        """The request was not answered; whether another width remains to be tried."""
        if self._sure:
            return False
        self.is_narrow = not self.is_narrow
        return self.is_narrow


class UnitProof:
    """Whether a board that keeps the bit for 0.01 A also counts by it.

    Attributes:
        given: it does.
        refuted: it does not.
    """

    def __init__(self) -> None:
        self.given = self.refuted = False
        self._told_at = math.inf

    def forget(self) -> None:
        """The board may be another one, or not what it was."""
        self.given = self.refuted = False
        self._told_at = math.inf

    def told(self, now: float, raw: int) -> None:
        """The board has acknowledged ``raw`` as its current."""
        self._told_at = now if raw == UNIT_TEST else math.inf

    def take(self, now: float, live: Live) -> None:
        """What it did then."""
        if live.offered >= LEAST_FINE_OFFER:
            self.given = True
        if live.set_current != UNIT_TEST or math.isinf(self._told_at):
            return
        if live.evse_state == PWM:
            self.given, self.refuted = False, True
        elif live.vehicle_state in PRESENT and now - self._told_at >= TEST_TIME:
            self.given = True


class OffWatch:
    """A board that is off although it was told to offer to the vehicle that is there."""

    def __init__(self) -> None:
        self._off = Since()

    def words(self, now: float, live: Live, held: Set[int]) -> str:
        """What to say of it; '' for nothing. ``held``: raw currents that it was told."""
        told = max(held)
        off = (live.evse_state == OFF and not live.turned_off and told > UNIT_TEST
               and live.vehicle_state in PRESENT)
        if self._off(now, off) < OFF_TIME:
            return ''
        return (f'it is off (1006) though told {amperes(told):g} A: by its button, by its analog '
                'input, or after a charge (2005 bit 13)')
