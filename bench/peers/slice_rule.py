"""The rule of EVerest's energy manager, written from a description of it: a market of slices.

A tree of nodes, each with limits in A and in W towards the root and towards the leaves, for each
slot of a schedule (here one). Every leaf first buys its minimum, then all buy slices of 0.5 A or
500 W in turn until nobody can, at most 100 rounds. What is bought counts at every node up to the
root. A limit is one amperage for all phases: where a member's phases hang is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from charger_control.core.team import MemberState

SLICE_AMPERAGE = 0.5
SLICE_POWER = 500.0
ROUNDS = 100
VOLTAGE = 230.0
TINY = 1e-9


@dataclass
class Limits:
    """What one slot of a schedule allows; None: no limit of that kind."""

    amperage: float | None = None
    power: float | None = None
    phases: int = 3


@dataclass
class Slot:
    """One slot of a node: limits on both of its sides, and what was sold through it."""

    to_root: Limits
    to_leaves: Limits
    sold: Limits


def tighter(one: float | None, other: float | None) -> float | None:
    """The lower of two limits that may be none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def less(limit: float | None, sold: float | None) -> float | None:
    """What is left of a limit."""
    return None if limit is None else limit - (sold or 0.0)


class Market:
    """A node of the tree."""

    def __init__(self, schedule: Sequence[Slot], parent: Market | None = None) -> None:
        self.schedule, self.parent = schedule, parent

    def available(self, slot: int) -> Limits:
        """What is left on the whole way to the root."""
        own = self.schedule[slot]
        amperage = less(tighter(own.to_root.amperage, own.to_leaves.amperage), own.sold.amperage)
        power = less(tighter(own.to_root.power, own.to_leaves.power), own.sold.power)
        phases = min(own.to_root.phases, own.to_leaves.phases)
        if self.parent is not None:
            above = self.parent.available(slot)
            amperage, power = tighter(amperage, above.amperage), tighter(power, above.power)
            phases = min(phases, above.phases)
        return Limits(amperage, power, phases)

    def sell(self, slot: int, bought: Limits) -> None:
        """Takes a purchase off, here and above."""
        sold = self.schedule[slot].sold
        sold.amperage = (sold.amperage or 0.0) + (bought.amperage or 0.0)
        sold.power = (sold.power or 0.0) + (bought.power or 0.0)
        if self.parent is not None:
            self.parent.sell(slot, bought)


class Broker:
    """Buys for one charge point."""

    def __init__(self, market: Market, minimum: float) -> None:
        self.market, self.minimum = market, minimum
        self.bought = [0.0] * len(market.schedule)

    def trade(self) -> bool:
        """One purchase for each slot: the minimum at first, then a slice. False: none at all."""
        traded = False
        for slot in range(len(self.bought)):
            left = self.market.available(slot)
            by_power = None if left.power is None else left.power / (VOLTAGE * left.phases)
            most = tighter(left.amperage, by_power)
            if self.bought[slot] == 0.0:
                wanted = self.minimum
                if most is not None and wanted > most + TINY:
                    continue
            else:
                wanted = min(SLICE_AMPERAGE, SLICE_POWER / (VOLTAGE * left.phases))
                if most is not None:
                    wanted = min(wanted, most)
                if wanted <= TINY:
                    continue
            self.market.sell(slot, Limits(wanted, wanted * VOLTAGE * left.phases, left.phases))
            self.bought[slot] += wanted
            traded = True
        return traded


def node(amperage: float, power: float | None, phases: int, parent: Market | None = None) -> Market:
    """A node with one slot."""
    return Market([Slot(Limits(amperage, power, phases), Limits(amperage, None, phases),
                        Limits(0.0, 0.0, phases))], parent)


def slice_rule(members: Sequence[MemberState], budget: Sequence[float]) -> dict[str, float]:
    """A per phase for each member. The least phase is the limit of all: it knows no other."""
    root = node(min(budget), VOLTAGE * sum(budget), 3)
    brokers = [Broker(node(m.requested_amperage, None, len(m.phases) or 3, root),
                      m.minimum_amperage) for m in members]
    active = brokers
    for _ in range(ROUNDS):
        active = [broker for broker in active if broker.trade()]
        if not active:
            break
    return {m.member: b.bought[0] for m, b in zip(members, brokers, strict=True)}
