"""An exception in one block is that block's fault state; all others, and the process, go on."""

from __future__ import annotations

import math
from typing import Any

import pytest

from charger_control.core.messages.decision import AvailableAmperage
from charger_control.nodes.api import Api
from charger_control.nodes.cppwm_controller.node import CppwmController
from charger_control.nodes.hw_limit import HwLimit
from charger_control.nodes.smart_charging.node import SmartCharging
from charger_control.ros.diagnostics import Level
from charger_control.ros.faults import EndProcessError
from charger_control.ros.interfaces import AVAILABLE, DECISION, LIMIT_API, LIMIT_HW, SET_LIMITS
from charger_control.ros.interfaces import LIMIT_SMART_CHARGING as LIMIT_SMART

HW = {'fuse': 16.0, 'phases': 3, 'cable': 32.0}


def fault(node: Any) -> Any:
    """What diagnostics say of the program's own fault; None for nothing."""
    return next((h for h in node.faults.health() if h.task == 'block'), None)


def fails(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError('out of the blue')


def test_a_tick_that_raises_says_the_safe_value_and_tries_again(
        graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = graph.start(HwLimit, **HW, rate=20.0)
    limits = graph.hear(LIMIT_HW)
    graph.until(lambda: limits and limits[-1].amperage == 16.0)
    assert fault(node) is None
    with monkeypatch.context() as broken:
        broken.setattr('charger_control.nodes.hw_limit.step', fails)
        graph.until(lambda: limits[-1].amperage == 0.0, 1.0)
        assert 'ZeroDivisionError in its tick: out of the blue' in limits[-1].reason
        graph.until(lambda: node.faults.count >= 3, 1.0)
        assert fault(node).level is Level.ERROR
        assert 'ZeroDivisionError in its tick' in fault(node).message
    graph.until(lambda: limits[-1].amperage == 16.0, 1.0)
    assert fault(node).level is Level.OK


def test_a_controller_that_raises_offers_nothing(graph: Any, monkeypatch: pytest.MonkeyPatch
                                                 ) -> None:
    node = graph.start(CppwmController)
    offers, decisions = graph.hear(AVAILABLE), graph.hear(DECISION)
    graph.until(lambda: offers)
    monkeypatch.setattr(node._controller, 'step', fails)
    since = len(decisions)
    graph.until(lambda: decisions[since:] and 'ZeroDivisionError' in decisions[-1].reason, 2.0)
    assert offers[-1] == AvailableAmperage(0.0, 0.0, False)


@pytest.mark.parametrize(('block', 'topic', 'part', 'most'), [
    (Api, LIMIT_API, '_api', 0.0), (SmartCharging, LIMIT_SMART, '_decider', 6.0)])
def test_a_limit_source_that_raises_says_its_safe_limit(
        graph: Any, monkeypatch: pytest.MonkeyPatch, block: Any, topic: Any, part: str,
        most: float) -> None:
    node = graph.start(block)
    limits = graph.hear(topic)
    graph.until(lambda: limits and math.isnan(limits[-1].amperage))
    whole = getattr(node, part)
    for name in [n for n in dir(whole) if not n.startswith('_') and callable(getattr(whole, n))]:
        monkeypatch.setattr(whole, name, fails)
    graph.until(lambda: limits[-1].amperage == most, 2.0)
    assert 'ZeroDivisionError' in limits[-1].reason


def test_a_service_that_raises_is_answered(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = graph.start(Api)
    monkeypatch.setattr(node._api, 'propose', fails)
    answer = graph.ask(SET_LIMITS)
    assert (answer.success, answer.code) == (False, 'Internal')
    assert 'ZeroDivisionError' in answer.message


def test_what_must_end_the_process_still_does(graph: Any) -> None:
    node = graph.start(HwLimit, **HW)

    def end() -> None:
        raise EndProcessError('the web server does not serve any more')

    with pytest.raises(EndProcessError):
        node.faults.run('its tick', end)
