"""Who speaks on a topic, and what counts of what they say: one table for every reader.

A topic has one publisher by design; by accident it gets a second one (a forgotten tool, a bag that
is played, two graphs in one namespace). Nobody here knows who is right, so the cautious value of
all that were heard within the validity counts, one rule a kind of topic.

Senders are told apart by the name that each process puts into its messages, not by the graph:
publishers that were killed stay there for 20 s. Where the graph shows several publishers, none
takes its own earlier word back at once either: two may go by one name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from charger_control.core.limits import SILENCE, watched
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.budget import Dimming, TeamBudget
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import TeamAllocation
from charger_control.core.senders import Rule, Words
from charger_control.core.units import MAX_AMPERAGE

LONGEST_AVAILABLE = 2.0
"""s that an available amperage may hold, whatever it says: the controller says 1 s, ten times a
second."""
LONGEST_BUDGET = 60.0
"""s that a team's budget may hold: the largest value of `vcse.valid_for`."""


# -- limits ----------------------------------------------------------------------------------------

def _lowest_limit(now: float, words: Words[AmperageLimit]) -> AmperageLimit:
    """The lowest in force, until the first of them lapses, and then the lowest of what is left."""
    if len(words) == 1:
        return words[0].value
    left = [replace(w.value, valid_for=max(0.0, w.value.valid_for - (now - w.at))) for w in words]
    in_force = [w for w, word in zip(left, words, strict=True)
                if word.silence(now) <= word.value.valid_for]
    opinions = [w for w in in_force if not math.isnan(w.amperage)]
    lost = [w.lost_amperage for w in left if not math.isnan(w.lost_amperage)]
    gone = [w.lost_amperage for w in left if w not in in_force]
    lowest = min(opinions, key=lambda w: w.amperage, default=left[-1])
    valid_for = min((w.valid_for for w in in_force), default=0.0)
    after = [w.amperage for w in opinions if w.valid_for > valid_for]
    return replace(
        lowest, amperage=_least([lowest.amperage, *gone]),
        phases=min((w.phases for w in in_force if w.phases), default=0),
        valid_for=valid_for, lost_amperage=_least([*lost, *after]))


def _least(amperages: Sequence[float]) -> float:
    return min((a for a in amperages if not math.isnan(a)), default=math.nan)


def _has_opinion(limit: AmperageLimit) -> bool:
    return not limit.refusal() and not math.isnan(limit.amperage)


LIMIT: Rule[AmperageLimit] = Rule(
    10.0, 2.5, _lowest_limit, lambda limit: not limit.refusal(),
    lambda limit: math.inf if math.isnan(limit.amperage) else limit.amperage)
"""The lowest counts. Sources repeat themselves every second."""
HW_LIMIT: Rule[AmperageLimit] = replace(
    LIMIT, window=SILENCE, usable=_has_opinion, merge=lambda now, words: _lowest_limit(
        now, [replace(word, value=watched(word.value)) for word in words]))
"""As the others, but a source that is silent for SILENCE allows nothing more."""


# -- available -------------------------------------------------------------------------------------

def _lowest_available(now: float, words: Words[AvailableAmperage]) -> AvailableAmperage:
    """The lowest in force, for as long as any is; one that offers nothing is the lowest."""
    bounded = [replace(w.value, valid_for=min(w.value.valid_for, LONGEST_AVAILABLE)
                       - w.silence(now)) for w in words]
    in_force = [w for w in bounded if w.valid_for >= 0.0] or bounded[-1:]
    lowest = min(in_force, key=_offered)
    return replace(lowest, commanded_amperage=min(w.commanded_amperage for w in in_force),
                   phases=min((w.phases for w in in_force if w.phases), default=0),
                   valid_for=max(0.0, *(w.valid_for for w in in_force)))


def _offered(value: AvailableAmperage) -> float:
    return value.available_amperage if value.enable else 0.0


AVAILABLE: Rule[AvailableAmperage] = Rule(
    LONGEST_AVAILABLE, 1.0, _lowest_available, lambda value: not value.refusal(), _offered)
"""The lowest counts."""


# -- a team's budget -------------------------------------------------------------------------------

def _lowest_budget(now: float, words: Words[TeamBudget]) -> TeamBudget:
    """The lowest in force of each phase, for as long as any is."""
    bounded = [replace(w.value, valid_for=min(w.value.valid_for, LONGEST_BUDGET) - w.silence(now))
               for w in words]
    in_force = [w for w in bounded if w.valid_for >= 0.0] or bounded[-1:]
    if len(in_force) == 1:
        return in_force[0]
    first, second, third = (min(phase) for phase in zip(*(w.amperage for w in in_force),
                                                        strict=True))
    return replace(min(in_force, key=lambda w: sum(w.amperage)), amperage=(first, second, third),
                   valid_for=max(w.valid_for for w in in_force))


def _can_be_budget(budget: TeamBudget) -> bool:
    return (budget.valid_for >= 0.0
            and all(0.0 <= a < math.inf for a in budget.amperage))


BUDGET: Rule[TeamBudget] = Rule(10.0, 2.5, _lowest_budget, _can_be_budget,
                                lambda budget: sum(budget.amperage),
                                party=lambda budget: budget.team)
"""The lowest of each phase counts."""


# -- dimming ---------------------------------------------------------------------------------------

def _lowest_dimming(_: float, words: Words[Dimming]) -> Dimming:
    return Dimming(_least([w.value.power for w in words]))


def dimming(timeout: float) -> Rule[Dimming]:
    """The lowest of all clients counts; ``timeout``: s for which a heartbeat holds."""
    return Rule(timeout, timeout, _lowest_dimming, lambda value: not value.refusal())


# -- meters ----------------------------------------------------------------------------------------

def _highest_meter(now: float, words: Words[MeterReading]) -> MeterReading:
    """The highest of each phase, as old as the oldest of them."""
    if len(words) == 1:
        return words[0].value
    return replace(MeterReading.highest_of([w.value for w in words]),
                   age=max(w.value.age + w.silence(now) for w in words))


def _can_be_reading(reading: MeterReading) -> bool:
    return not reading.error and not reading.absurd()


METER: Rule[MeterReading] = Rule(3.0, 1.0, _highest_meter, _can_be_reading,
                                 lambda reading: -max(reading.amperage))
"""The highest current of each phase counts, and nobody raises: readers see ``contested``."""


# -- the control pilot -----------------------------------------------------------------------------

def _agreed_pilot(_: float, words: Words[ControlPilot]) -> ControlPilot | None:
    """None while the letters differ."""
    if len(words) == 1:
        return words[0].value
    pilots = [w.value for w in words]
    newest = pilots[-1]
    if any((p.vehicle_status, p.charge_controller_status)
           != (newest.vehicle_status, newest.charge_controller_status) for p in pilots):
        return None
    temperatures = [p.temperature for p in pilots if not math.isnan(p.temperature)]
    return replace(newest, signaled_amperage=max(p.signaled_amperage for p in pilots),
                   cable_amperage=_least([p.cable_amperage for p in pilots]),
                   temperature=max(temperatures, default=math.nan),
                   fault=next((p.fault for p in pilots if p.fault), ''))


PILOT: Rule[ControlPilot] = Rule(
    2.0, 0.5, _agreed_pilot,
    lambda pilot: not pilot.error and pilot.age >= 0.0
    and 0.0 <= pilot.signaled_amperage <= 10.0 * MAX_AMPERAGE)
"""Letters that differ are silence; else the highest signal, the lowest cable, any fault."""


# -- the team --------------------------------------------------------------------------------------

ALLOCATION: Rule[TeamAllocation] = Rule(
    5.0, 1.0, lambda _, words: words[-1].value,
    party=lambda heard: (heard.team, heard.leader))
"""The lease's own rules decide (term and sequence); two senders of one leader's name are said."""
