"""What ``charger config check`` calls good starts; what does not start, it says with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from charger_control.bridges.web.access.credentials import ENVIRONMENT
from charger_control.bringup.processes import BLOCKS, with_grid_meter
from charger_control.cli.config import NODES, disagreements, params_of, problems, warnings
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.options import OptionError
from charger_control.drivers.registry import open_meter, open_pilot
from charger_control.ros.parameters import ParameterError, check
from charger_control.ros.params_file import values_of

GOOD = """/**:
  hw_limit:
    ros__parameters: {fuse: 16.0, phases: 3, cable: 32.0}
  vcse:
    ros__parameters:
      fuse: [20.0, 20.0, 20.0]
  fiscal_meter:
    ros__parameters:
      device: {driver: sdm630, port: /dev/null, unit: 2}
  iso61851:
    ros__parameters:
      device: {driver: evse_din, port: /dev/null, unit: 1}
  bridge:
    ros__parameters:
      host: 127.0.0.1
"""
METER = 'device: {driver: sdm630, port: /dev/null, unit: 2}'
BOARD = 'device: {driver: evse_din, port: /dev/null, unit: 1}'
GRID = """  grid_meter:
    ros__parameters:
      device: {driver: sdm630, port: /dev/zero, unit: 1}
"""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def written(folder: Path, old: str = '', new: str = '') -> Path:
    """The good file with one thing changed."""
    assert old in GOOD
    path = folder / 'charger.yaml'
    path.write_text(GOOD.replace(old, new) if old else GOOD + new)
    return path


def test_the_file_that_the_others_differ_from_is_good(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert problems([path]) == [] and warnings([path]) == []


@pytest.mark.parametrize(('old', 'new', 'line', 'says'), [
    pytest.param(METER, METER.replace('unit: 2', 'unit: 2, baudrate: 19200'), 9,
                 'already run with 9600 8N1, not 19200 8N1', id='two baud rates on one port'),
    pytest.param(METER, METER.replace('unit: 2', 'unit: 1'), 9, 'unit: 1 .* iso61851',
                 id='two devices with one unit'),
    pytest.param(METER, 'device: {driver: sml, port: /dev/null}', 9, 'for itself',
                 id='a head on the line of a board'),
    pytest.param(METER, METER.replace('/dev/null', '/dev/serial/by-id/usb-...'), 9,
                 r"'/dev/serial/by-id/usb-\.\.\.': .*ls /dev/serial/by-id", id='a name left out'),
    pytest.param('host: 127.0.0.1', 'host: 0.0.0.0', 15, 'there are no credentials',
                 id='open to the network'),
    pytest.param('host: 127.0.0.1', 'host: no.such.name.invalid', 15, 'host', id='no such host'),
    pytest.param('host: 127.0.0.1', 'certificate_file: /no/cert.pem', 15, '/no/cert.pem',
                 id='no certificate'),
    pytest.param('host: 127.0.0.1', 'chargers: [cp01, cp01]', 15, 'is there twice',
                 id='a charger named twice'),
    pytest.param('', GRID, 16, r'vcse\.grid_meter.*true', id='a grid meter that nobody asks'),
    pytest.param('fuse: 16.0', 'fuse: 90.0', 3, r'hw_limit\.fuse = 90\.0.*from 6 to 80 A',
                 id='out of range'),
    pytest.param('cable: 32.0', 'cabel: 32.0', 3, r'cabel = 32\.0: .*Did you mean cable\?',
                 id='a misspelt parameter'),
    pytest.param('unit: 1}', 'unti: 1}', 12, r'unti = 1: .*Did you mean unit\?',
                 id='a misspelt option'),
    pytest.param('driver: sdm630', 'driver: smd630', 9, r"'smd630'.*Did you mean sdm630\?",
                 id='a misspelt driver'),
    pytest.param('  vcse:\n', '  vsce:\n', 4, r'/\*\*/vsce: .*Did you mean vcse\?',
                 id='a misspelt node'),
])
def test_what_does_not_start_is_named_with_its_line(
        tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = written(tmp_path, old, new)
    found = problems([path])
    assert found and re.match(rf'{path}, line {line}: ', found[0]), found
    assert re.search(says, found[0]), found


def test_a_file_without_a_namespace_reaches_nobody(tmp_path: Path) -> None:
    """It was ignored as a whole; now check and start refuse it alike."""
    path = tmp_path / 'bare.yaml'
    path.write_text('hw_limit:\n  ros__parameters: {fuse: 80.0}\n')
    says = rf'{path}, line 1: hw_limit .*"/\*\*:"'
    assert re.match(says, problems([path])[0])
    with pytest.raises(ParameterError, match=says):
        values_of([path], 'hw_limit', 'charger')


def test_a_grid_meter_that_nobody_asks_does_not_start_either(tmp_path: Path) -> None:
    path = written(tmp_path, '', GRID)
    with pytest.raises(ParameterError, match=r'vcse\.grid_meter'):
        with_grid_meter(BLOCKS, [path], 'charger')
    path = written(tmp_path, '      fuse: [20', '      grid_meter: true\n      fuse: [20')
    path.write_text(path.read_text() + GRID)
    assert problems([path]) == [] and 'grid_meter' in with_grid_meter(BLOCKS, [path], 'charger')


HEAD = """  grid_meter:
    ros__parameters:
      device: {driver: sml, port: /dev/zero}
      phase_currents: false
"""


def test_a_total_power_alone_guards_no_fuse_and_does_not_start(tmp_path: Path) -> None:
    """It started, and the budget was 0 A for ever without a reason."""
    path = written(tmp_path, '      fuse: [20', '      grid_meter: true\n      fuse: [20')
    good = path.read_text()
    path.write_text(good + HEAD)
    found = problems([path])
    assert len(found) == 1, found
    assert re.match(rf'{path}, line \d+: .*phase_power.*feed_in', found[0]), found
    with pytest.raises(ParameterError, match='feed_in: false'):
        with_grid_meter(BLOCKS, [path], 'charger')


@pytest.mark.parametrize(('vcse', 'grid'), [
    ('      grid_meter: true\n      feed_in: false\n', ''),
    ('      grid_meter: true\n', '      phase_power: true\n'),
    ('      dimming: true\n', '')], ids=['nothing feeds in', 'power of each phase', 'dimming only'])
def test_a_meter_without_phase_currents_may_be_used_for_what_it_tells(
        tmp_path: Path, vcse: str, grid: str) -> None:
    path = written(tmp_path, '      fuse: [20', f'{vcse}      fuse: [20')
    path.write_text(path.read_text() + HEAD + grid)
    assert problems([path]) == [] and 'grid_meter' in with_grid_meter(BLOCKS, [path], 'charger')


def test_the_line_is_refused_by_what_opens_it() -> None:
    buses = Buses()
    open_pilot({'driver': 'evse_din', 'port': '/dev/null', 'unit': 1}, buses)
    with pytest.raises(OptionError, match='unit'):
        open_meter({'driver': 'sdm630', 'port': '/dev/null', 'unit': 1}, buses)
    open_meter({'driver': 'sdm630', 'port': '/dev/null', 'unit': 2}, buses)


def test_one_meter_may_be_both_and_that_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, '      fuse: [20', '      grid_meter: true\n      fuse: [20')
    path.write_text(path.read_text() + GRID.replace('/dev/zero', '/dev/null').replace('unit: 1',
                                                                                      'unit: 2'))
    assert problems([path]) == []
    found = warnings([path])
    assert len(found) == 1 and 'one and the same device' in found[0], found


def test_two_chargers_do_not_share_a_line(tmp_path: Path) -> None:
    """Each is a process of its own, and a port has one owner; but they may be on two machines."""
    path = tmp_path / 'depot.yaml'
    path.write_text(GOOD + ''.join(
        f'/{name}:\n  fiscal_meter:\n    ros__parameters: {{device.unit: {unit}}}\n'
        f'  iso61851:\n    ros__parameters: {{device.unit: {unit + 10}}}\n'
        for unit, name in ((1, 'cp01'), (2, 'cp02'))))
    assert problems([path]) == []
    found = warnings([path])
    assert len(found) == 2 and all('/cp01 and /cp02 both have port = /dev/null' in line
                                   for line in found), found


def test_a_port_that_is_not_there_now_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, METER, METER.replace('/dev/null', '/dev/charger-bus'))
    assert problems([path]) == []
    found = warnings([path])
    assert len(found) == 1 and found[0].startswith(f'{path}, line 9: ')
    assert '/dev/charger-bus is not there' in found[0]


def test_a_grid_meter_from_elsewhere_is_a_warning(tmp_path: Path) -> None:
    path = written(tmp_path, '      fuse: [20', '      grid_meter: true\n      fuse: [20')
    assert problems([path]) == []
    assert len(warnings([path])) == 1 and 'no grid_meter' in warnings([path])[0]


def test_to_say_a_fact_once_for_all_works(tmp_path: Path) -> None:
    """The advice of the warning, followed: checked here, and taken by every node."""
    path = written(tmp_path, 'phases: 3, ', '')
    path.write_text(path.read_text() + '  api:\n    ros__parameters: {phases: 1}\n')
    assert 'hw_limit.phases is not set' in problems([path])[0]
    path = written(tmp_path, '', '  api:\n    ros__parameters: {phases: 1}\n')
    advice = disagreements([path])
    assert len(advice) == 1 and '/**/*: {ros__parameters: {phases: ' in advice[0]
    path = written(tmp_path, 'phases: 3, ', '')
    path.write_text('/**: {ros__parameters: {phases: 1}}\n'
                    + path.read_text().replace('/**:', '/*:'))
    assert problems([path]) == [] and disagreements([path]) == []
    for node in NODES.keys() - {'grid_meter'}:
        check(params_of(node), values_of([path], node, 'charger'), node)
