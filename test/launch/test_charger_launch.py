"""charger.launch.py as `ros2 launch` runs it: a process per node, respawned, the pilot guarded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_charger import CHARGER, QUICK, Process, boottime, wait_until
from live_launch import FILES, NO_LAUNCH, RUNNER, Launched, kill, launched

from charger_control.cli.graph import visitor

pytest.importorskip('launch.actions', reason=NO_LAUNCH)

NAMESPACE = f'launch{os.getpid()}'
NODES = {'fiscal_meter', 'hw_limit', 'smart_charging', 'api', 'cppwm_controller', 'iso61851',
         'team', 'vcse', 'session', 'bridge'}
SECTIONS = {'/**': {node: {'ros__parameters': values} for node, values in QUICK.items()}}


@pytest.fixture(scope='module')
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    with launched(tmp_path_factory.mktemp('charger'), 'charger.launch.py', SECTIONS,
                  namespace=NAMESPACE, port=0) as one:
        charges(one)
        yield one


def charges(one: Launched, timeout: float = 40.0) -> None:
    """A vehicle draws at one of the boards."""
    try:
        wait_until(lambda: one.offered(NAMESPACE) > 6.0 and one.drawn(NAMESPACE) > 5.0, timeout,
                   'the vehicle draws')
    except AssertionError as error:
        raise AssertionError(f'{error}\n' + '\n'.join(one.process.lines[-40:])) from error


def test_all_nodes_one_process_each_but_those_of_one_line(charger: Launched) -> None:
    with visitor(NAMESPACE) as (node, executor):
        wait_until(lambda: executor.spin_once(timeout_sec=0.1) or {
            name for name, namespace in node.get_node_names_and_namespaces()
            if namespace == f'/{NAMESPACE}'} >= NODES, 10.0, 'all nodes')
    started = {line.split('[')[2].split('-')[0] for line in charger.lines('process started')}
    assert started == (NODES - {'iso61851', 'fiscal_meter'}) | {'iso61851+fiscal_meter', 'sim'}


def test_the_killed_pilot_withdraws_and_comes_again(charger: Launched) -> None:
    since = boottime()
    kill(charger.pids(r'charger: control: started, pid (\d+)')[-1])
    wait_until(lambda: charger.offer_stood(NAMESPACE, since) < 60.0, 5.0, 'the offer withdrawn')
    assert charger.offer_stood(NAMESPACE, since) <= 2.0
    charges(charger)


@pytest.mark.parametrize(('block', 'waits'), [('session', '1'), ('cppwm_controller', '1'),
                                              ('session', '2')])
def test_the_killed_are_started_again_with_a_back_off(charger: Launched, block: str, waits: str
                                                      ) -> None:
    pattern = rf'\[{block}-\d+\]: process started with pid \[(\d+)\]'
    before = charger.pids(pattern)
    kill(before[-1])
    wait_until(lambda: len(charger.pids(pattern)) > len(before), 15.0, f'{block} again')
    assert charger.lines(f'{block} ended (-9), starts again in {waits} s')
    with visitor(NAMESPACE) as (node, executor):  # which comes when the old one is forgotten too
        wait_until(lambda: executor.spin_once(timeout_sec=0.1) or (
            (block, f'/{NAMESPACE}') in node.get_node_names_and_namespaces()), 10.0, 'the node')
    charges(charger)


def test_it_says_who_may_find_it(charger: Launched) -> None:
    assert len(charger.lines('discovery range LOCALHOST: only this machine sees it')) == 1
    for pid in charger.pids(r'process started with pid \[(\d+)\]'):
        try:
            environment = Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')
        except OSError:     # killed by another test
            continue
        assert b'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST' in environment


def test_a_second_one_in_the_namespace_is_refused(charger: Launched, tmp_path: Path) -> None:
    """Also with `charger up`: whoever started the first."""
    charges(charger)
    since = boottime()
    (tmp_path / 'p.yaml').write_text('')
    runtime = {'XDG_RUNTIME_DIR': str(charger.folder)}
    first = charger.process.process.pid
    for command in (
            [sys.executable, '-c', RUNNER, str(FILES / 'charger.launch.py'),
             f'namespace:={NAMESPACE}', 'sim:=true'],
            [*CHARGER, 'up', '--sim', '--namespace', NAMESPACE]):
        second = Process(command, runtime)
        second.wait_for(rf'runs already in namespace /{NAMESPACE} \(pid {first}\)', 20.0)
        assert second.process.wait(20.0) != 0
        assert not any('Traceback' in line for line in second.lines)
    assert all(e['amperage'] > 0.0 for e in charger.events(NAMESPACE, 'offer', since))


def test_ctrl_c_withdraws_before_the_devices_go(charger: Launched) -> None:
    charges(charger)
    assert charger.end() == 0, '\n'.join(charger.process.lines[-40:])
    assert charger.offered(NAMESPACE) == 0.0, '\n'.join(charger.process.lines[-40:])
    last = [e['event'] for e in charger.events(NAMESPACE)]
    assert last[-1] == 'end', 'the simulated devices end in order'
    contactor = charger.events(NAMESPACE, 'contactor')[-1]
    assert not contactor['closed'] and contactor['amperage'] == 0.0, 'opened without load'
    died = [line for line in charger.lines('process has died') if 'exit code -9' not in line]
    assert not died, '\n'.join(charger.process.lines[-60:])


def test_a_bad_parameter_ends_its_process_with_one_line_and_no_other(tmp_path: Path) -> None:
    """Nothing is offered then: that block was never heard."""
    sections = {'/**': {**SECTIONS['/**'], 'api': {'ros__parameters': {'phases': 4}}}}
    namespace = f'{NAMESPACE}b'
    with launched(tmp_path, 'charger.launch.py', sections, namespace=namespace, port=0) as one:
        one.process.wait_for('api: bad configuration, not started again', 30.0)
        one.process.wait_for('waiting for the first word of: .*api', 30.0)
        wait_until(lambda: one.events(namespace, 'letter'), 30.0, 'a vehicle is there')
        one.process.wait_for(r'iso61851\]: device: answering', 30.0)
        assert one.process.process.poll() is None
        assert one.offered(namespace) == 0.0
    said = one.lines('api.phases = 4')
    assert len(said) == 1 and 'from 1 to 3' in said[0], '\n'.join(one.process.lines[-40:])
    assert len(one.pids(r'\[api-\d+\]: process started with pid \[(\d+)\]')) == 1
