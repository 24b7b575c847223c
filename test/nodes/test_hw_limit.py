"""The hw_limit node: what it learns of the supply's terminals outlives it, and bounds the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.terminals import TerminalWatch
from charger_control.nodes.hw_limit import HwLimit
from charger_control.ros.diagnostics import Level
from charger_control.ros.interfaces import LIMIT_HW, METER
from charger_control.store import Store, store_file


def learned(steps: list[float]) -> dict[str, Any]:
    """What was stored: a baseline of 0.25 ohm, and the steps since."""
    return {'known': [{'phase': 1, 'phases': 3, 'baseline': 0.25, 'steps': steps,
                       'is_loose': False}]}


def test_a_loose_terminal_is_said_kept_and_leaves_16_a(graph: Any, tmp_path: Path) -> None:
    store = Store(store_file(str(tmp_path)))
    store.put('hw_limit', 'source_resistance', learned([0.75] * 3)).result(2.0)
    store.close()
    limits = graph.hear(LIMIT_HW)
    node = graph.start(HwLimit, state_dir=str(tmp_path), fuse=32.0, phases=3, cable=32.0)
    graph.until(lambda: limits and limits[-1].amperage == 32.0)
    assert [h.level for h in node.health()] == [Level.OK, Level.OK]
    # a step of 16 A that pulls L2 down by 0.75 ohm
    for age, amperage in ((3.0, 0.0), (2.5, 0.0), (2.0, 0.0), (1.0, 16.0), (0.5, 16.0),
                          (0.0, 16.0)):
        graph.say(METER, MeterReading((230.0, 230.0 - 0.75 * amperage, 230.0), (amperage,) * 3,
                                      age=age))
        graph.turn(0.05)
    graph.until(lambda: limits[-1].amperage == 16.0)
    assert 'loose terminal? L2 + 0.50 ohm' in limits[-1].reason
    terminals = node.health()[1]
    assert (terminals.level, 'L2 + 0.50 ohm' in terminals.message) == (Level.WARN, True)
    graph.stop(node)
    again = graph.start(HwLimit, state_dir=str(tmp_path), fuse=32.0, phases=3, cable=32.0)
    graph.until(lambda: 'loose' in again.health()[0].message)
    assert limits[-1].amperage == 16.0


def test_what_cannot_be_read_is_learned_anew_and_said(graph: Any, tmp_path: Path) -> None:
    store = Store(store_file(str(tmp_path)))
    store.put('hw_limit', 'source_resistance', {'known': 'nothing'}).result(2.0)
    store.close()
    node = graph.start(HwLimit, state_dir=str(tmp_path), fuse=32.0, phases=3, cable=32.0)
    assert node.health()[1].level is Level.WARN
    assert 'learned anew' in node.health()[1].message
    assert node._terminals.stored() == TerminalWatch(3).stored()
