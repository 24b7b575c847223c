"""``charger status``: what is commanded, by whom."""

from __future__ import annotations

import io
import time

from rich.console import Console

from charger_control.cli.charger.status import table
from charger_control.core.heard import Heard
from charger_control.core.messages.decision import Decision, Flags
from charger_control.ros.interfaces import DECISION


def rows(decision: Decision) -> dict[str, str]:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table('cp01', {DECISION.name: Heard(decision, time.monotonic())}))
    return {line.split()[1]: ' '.join(line.split()[3:-1])
            for line in console.export_text().splitlines() if len(line.split()) > 3}


def test_the_limit_is_what_is_commanded_not_what_all_limits_allow() -> None:
    shown = rows(Decision(requested_amperage=16.0, allocated_amperage=7.02,
                          commanded_amperage=7.02, effective_amperage_limit=16.0,
                          limit_source='team', reason='shared with cp02'))
    assert shown['limit'] == '7.02 A by team'
    assert shown['lowest'] == '16.0 A of all limits'
    assert shown['why'] == 'The team of chargers allows 7.0 A per phase: shared with cp02.'


def test_nobody_is_named_where_no_limit_decides() -> None:
    shown = rows(Decision(limit_source='api', reason='no vehicle connected',
                          effective_amperage_limit=8.0, flags=int(Flags.NO_VEHICLE)))
    assert shown['limit'] == '0.00 A'
    assert shown['why'].startswith('No vehicle is connected')
