"""The rule of EVerest's energy manager, written from a description of it: a market of slices.

Every member first buys its minimum, then all buy slices of 0.5 A (500 W) in turn until nobody can,
at most 100 rounds. A limit is one amperage for all phases and a power; what is bought counts
against every market up to the root. Where the phases hang is not known to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from charger_control.core.team import MemberState

SLICE_AMPERAGE = 0.5
SLICE_POWER = 500.0
ROUNDS = 100
VOLTAGE = 230.0
TINY = 1e-9


class Market:
    """A node of the tree: what it may let through, and what was bought below it."""

    def __init__(self, amperage: float, power: float, parent: Market | None = None) -> None:
        self.amperage, self.power, self.parent = amperage, power, parent
        self.sold_amperage = self.sold_power = 0.0

    def available(self) -> tuple[float, float]:
        """A and W that are left on the whole way to the root."""
        amperage, power = self.amperage - self.sold_amperage, self.power - self.sold_power
        if self.parent is not None:
            above_amperage, above_power = self.parent.available()
            amperage, power = min(amperage, above_amperage), min(power, above_power)
        return amperage, power

    def sell(self, amperage: float, power: float) -> None:
        """Takes a purchase off, here and above."""
        self.sold_amperage += amperage
        self.sold_power += power
        if self.parent is not None:
            self.parent.sell(amperage, power)


class Broker:
    """Buys for one charge point."""

    def __init__(self, market: Market, minimum: float, phases: int) -> None:
        self.market, self.minimum, self.phases = market, minimum, phases
        self.bought = 0.0

    def buy(self) -> bool:
        """One purchase: the minimum at first, then a slice. False if none was possible."""
        amperage, power = self.market.available()
        most = min(amperage, power / (VOLTAGE * self.phases))
        if self.bought == 0.0:
            if self.minimum > most + TINY:
                return False
            wanted = self.minimum
        else:
            wanted = min(SLICE_AMPERAGE, SLICE_POWER / (VOLTAGE * self.phases), most)
            if wanted <= TINY:
                return False
        self.market.sell(wanted, wanted * VOLTAGE * self.phases)
        self.bought += wanted
        return True


def slice_rule(members: Sequence[MemberState], budget: Sequence[float]) -> dict[str, float]:
    """A per phase for each member. The least phase is the limit of all: it knows no other."""
    root = Market(min(budget), VOLTAGE * sum(budget))
    brokers = []
    for member in members:
        phases = len(member.phases) or 3
        most = member.requested_amperage
        brokers.append(Broker(Market(most, VOLTAGE * phases * most, root),
                              member.minimum_amperage, phases))
    active = brokers
    for _ in range(ROUNDS):
        active = [broker for broker in active if broker.buy()]
        if not active:
            break
    return {m.member: b.bought for m, b in zip(members, brokers, strict=True)}
