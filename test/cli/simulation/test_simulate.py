"""`charger simulate`: what a person tunes with."""

import csv

import pytest
from click.testing import CliRunner

from charger_control.cli.main import main

PNG = b'\x89PNG'


def run(*arguments):
    return CliRunner().invoke(main, ['simulate', *map(str, arguments)])


def test_a_table_a_csv_and_a_picture(tmp_path):
    file, png, svg = tmp_path / 'a.csv', tmp_path / 'a.png', tmp_path / 'a.svg'
    result = run('--vehicle', 'minus_one', '--set', '0=16', '--set', '60=10', '--duration', 90,
                 '--csv', file, '--plot', png)
    assert result.exit_code == 0, result.output
    assert 'steady' in result.output
    assert '16.00' in result.output
    assert '10.00' in result.output
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 90 * 20
    assert float(rows[-1]['time']) == 90.0
    assert float(rows[-1]['commanded']) == 10.0
    assert float(rows[-1]['amperage_l1']) == pytest.approx(10.0, abs=0.1)
    assert float(rows[-1]['signaled']) == pytest.approx(11.0, abs=0.1)
    assert (rows[0]['state'], rows[-1]['state']) == ('A1', 'C2')
    assert png.read_bytes().startswith(PNG)
    assert run('--duration', 20, '--plot', svg).exit_code == 0
    text = svg.read_text()
    assert all(word in text for word in ('<svg', '</svg>'))


def test_the_same_seed_draws_the_same_record(tmp_path):
    for name in ('a', 'b', 'c'):
        run('--duration', 30, '--seed', 1 if name != 'c' else 2, '--csv', tmp_path / f'{name}.csv',
            '--vehicle', 'standard', '--meter-period', 1)
    a, b, c = ((tmp_path / f'{name}.csv').read_bytes() for name in 'abc')
    assert a == b
    assert a != c


def test_a_scenario_of_its_own(tmp_path):
    scenario = tmp_path / 's.yaml'
    scenario.write_text('''
vehicle: ideal
steps:
  - {at: 1, do: plug_in}
  - {at: 1, do: put_limits, body: {amperageLimit: 13}}
  - {at: 30, do: short_pilot}
''')
    result = run('--scenario', scenario)
    assert result.exit_code == 0, result.output
    assert '13.00' in result.output
    assert 'CpShortCircuit in E1' in result.output


@pytest.mark.parametrize(('gain', 'settles'), [('1.0', True), ('0.0', False)])
def test_the_regulator_can_be_tuned(gain, settles):
    result = run('--vehicle', 'minus_one', '--set', '0=16', '--duration', 90,
                 '--pi', f'gain={gain}')
    assert result.exit_code == 0, result.output
    assert ('never' not in result.output) is settles


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--vehicle', 'tractor'], ['tractor', 'standard']),
    (['--plot', 'x.gif'], ['x.gif', '.png', '.svg']),
    (['--set', 'x=10'], ['x=10', '60=10']), (['--set', '60=90'], ['60=90', '80 A']),
    (['--set', '60'], ["'60'", '60=10']), (['--set', '60=nan'], ['60=nan', '60=10']),
    (['--pi', 'speed=1'], ['speed', 'gain']), (['--pi', 'gain=7'], ['gain', '7', 'from 0 to 1']),
    (['--board-step', '0.001'], ['0.001', '0.01']), (['--cable', '17'], ['17', '32']),
    (['--scenario', 'no/such.yaml'], ['no/such.yaml'])])
def test_what_a_person_gets_wrong_is_named_with_what_is_allowed(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    for word in words:
        assert word in result.output


def test_a_step_that_needs_a_serial_line(tmp_path):
    scenario = tmp_path / 's.yaml'
    scenario.write_text('steps: [{at: 1, do: burst, bytes: 3}]')
    result = run('--scenario', scenario)
    assert result.exit_code == 2
    assert 'charger sim' in result.output


@pytest.mark.parametrize('option', ['--csv', '--plot'])
def test_a_file_that_cannot_be_written_is_named_before_the_simulation(tmp_path, option):
    result = run('--duration', 604_800, option, tmp_path / 'no' / 'such.png')
    assert result.exit_code == 2
    assert 'such.png' in result.output
    assert 'make it first' in result.output


def test_a_file_that_cannot_be_opened(tmp_path):
    (tmp_path / 'a.csv').mkdir()
    assert run('--duration', 2, '--csv', tmp_path / 'a.csv').exit_code == 2


def test_nothing_to_judge_is_said():
    result = run('--vehicle', 'full', '--duration', 20)
    assert result.exit_code == 0
    assert 'nothing to judge' in result.output
