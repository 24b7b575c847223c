"""decision_log: each change of who decides is logged once, and a team's shares do not flood it."""

from __future__ import annotations

from itertools import pairwise

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision, Flags
from charger_control.nodes.cppwm_controller.decision_log import PACE, DecisionLog

FAULTY = Decision(reason='fault: CpShortCircuit', limit_source='hw', flags=Flags.FAULT)
PILOT = ControlPilot('C', 'C2', 16.0)


def limit(owner: str, amperage: float = 16.0) -> Decision:
    return Decision(amperage, amperage, amperage, limit_source=owner, reason='why',
                    effective_amperage_limit=amperage)


def test_each_change_is_said_once_and_in_the_words_of_the_page() -> None:
    log = DecisionLog()
    assert log.note(0.0, limit('hw'), PILOT) == 'The installation allows 16.0 A per phase: why.'
    assert log.note(0.1, limit('hw', 15.0), PILOT) == ''
    assert log.note(0.3, FAULTY, PILOT) == '', 'iso61851 says it'
    assert log.note(0.4, limit('hw'), PILOT) == 'The installation allows 16.0 A per phase: why.'
    assert 'allows no current' in log.note(0.5, limit('hw', 0.0), PILOT)


def test_owners_that_take_turns_are_said_at_a_pace() -> None:
    log = DecisionLog()
    ticks = [i / 10 for i in range(round(6 * PACE) * 10)]
    said = [now for now in ticks if log.note(now, limit('team' if now % 2 < 1 else 'api'), PILOT)]
    assert 4 <= len(said) <= 7
    assert min(b - a for a, b in pairwise(said)) >= PACE


def test_a_count_down_is_not_said_again_and_again() -> None:
    log = DecisionLog()
    said = [log.note(now, Decision(16.0, 16.0, reason=f'waiting {5 - now} s before a start',
                                   limit_source='hw', flags=Flags.HOLD), PILOT)
            for now in range(5)]
    assert said[0].startswith('Nothing is offered yet: waiting 5 s') and not any(said[1:])
