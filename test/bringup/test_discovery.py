"""Nobody but this machine finds a charger, unless the user says otherwise."""

from __future__ import annotations

import os

import pytest

from charger_control.bringup.discovery import RANGE, set_range
from charger_control.ros.parameters import ParameterError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RANGE, '')     # so that it is restored
    for variable in ('ROS_STATIC_PEERS', 'ROS_LOCALHOST_ONLY'):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(('argument', 'variable', 'chosen'), [
    ('', None, 'LOCALHOST'), ('', '', 'LOCALHOST'), ('', 'SUBNET', 'SUBNET'),
    ('subnet', 'LOCALHOST', 'SUBNET'), ('system-default', None, 'SYSTEM_DEFAULT')])
def test_argument_then_environment_then_this_machine(
        argument: str, variable: str | None, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable is None:
        monkeypatch.delenv(RANGE)
    else:
        monkeypatch.setenv(RANGE, variable)
    assert set_range(argument).startswith(f'discovery range {chosen}: ')
    assert os.environ[RANGE] == chosen


def test_the_wide_one_says_what_it_means() -> None:
    assert 'EVERY host' in set_range('SUBNET')


def test_peers_are_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_STATIC_PEERS', '192.168.10.11')
    assert '192.168.10.11' in set_range()


def test_what_overrules_the_range_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_LOCALHOST_ONLY', '1')
    assert set_range('SUBNET').startswith('discovery range LOCALHOST')


def test_an_unknown_range_is_refused() -> None:
    with pytest.raises(ParameterError, match=r'--discovery-range = LAN \(allowed: LOCALHOST'):
        set_range('LAN')
