"""``charger status``: what is commanded, by whom."""

from __future__ import annotations

import io
import time

from rich.console import Console

from charger_control.cli.status import table
from charger_control.core.cppwm_controller import Decision
from charger_control.core.heard import Heard
from charger_control.ros.interfaces import DECISION


def test_the_limit_is_what_is_commanded_not_what_the_installation_allows() -> None:
    decision = Decision(requested_amperage=16.0, allocated_amperage=7.02,
                        commanded_amperage=7.02, effective_amperage_limit=16.0,
                        limit_source='team', reason='shared with cp02')
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table('cp01', {DECISION.name: Heard(decision, time.monotonic())}))
    rows = {line.split()[1]: ' '.join(line.split()[3:-1])
            for line in console.export_text().splitlines() if len(line.split()) > 3}
    assert rows['limit'] == '7.02 A by team'
    assert rows['installation'] == '16.0 A at most'
    assert rows['why'] == 'The team of chargers allows 7.0 A per phase: shared with cp02.'
