"""A single-board computer's pilot in the real control process: a session, a fault, every death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_charger import wait_until
from live_computer import LiveComputer
from live_topics import Topics, topics_of

from charger_control.ros.interfaces import CONTROL_PILOT, DIAGNOSTICS

AT_ONCE = 0.1
"""s within which the contactor opens (domain.md 1.6)."""
LOOK = 0.1
"""s, by which the test's hardware may be late to see a line move while others have the cores:
bench/raw_pilot.py is what holds the driver to AT_ONCE."""
STANDS = 2.0
"""s that an offer may stand after any kill (architecture.md, invariant 6)."""
ENDED = 9.0
"""s until an orphan has ended: the vehicle has 6 s to open S2, the process 8."""
PARAMETERS = {
    'hw_limit': {'fuse': 16.0, 'phases': 3, 'cable': 32.0},
    'vcse': {'fuse': [20.0, 20.0, 20.0]},
    'cppwm_controller': {'closed_loop': False, 'start_hold': 0.5, 'restart_hold': 1.0,
                         'present_hold': 1.0},
    'iso61851': {'present_hold': 1.0, 'clear_time': 2.0},
}
"""No meter; long waits scaled down, safety times as they are."""


@pytest.fixture(scope='module')
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveComputer, Topics]]:
    computer = LiveComputer(tmp_path_factory.mktemp('computer'))
    try:
        computer.start(PARAMETERS)
        with topics_of(computer.namespace, CONTROL_PILOT, DIAGNOSTICS) as topics:
            computer.plug_in()
            yield computer, topics
    finally:
        computer.close()


@pytest.fixture
def charging(live: tuple[LiveComputer, Topics]) -> tuple[LiveComputer, Topics]:
    """It charges, and has for a second."""
    computer = live[0]

    def steadily() -> bool:
        return (computer.closed and time.monotonic() - computer.history[-1][0] > 1.0
                and max(computer.plant.amperage) > 15.95)

    try:
        wait_until(steadily, 30.0, 'it charges')
    except AssertionError as error:
        assert computer.process is not None
        raise AssertionError(f'{error}\n' + '\n'.join(computer.process.lines[-30:])) from error
    return live


def test_a_session_reads_as_with_any_board(charging: tuple[LiveComputer, Topics]) -> None:
    computer, topics = charging
    said = topics.wait_for(CONTROL_PILOT, lambda p: p.charge_controller_status == 'C2', 5.0, 'C2')
    assert said.signaled_amperage == pytest.approx(16.0, abs=0.01) and said.fault == ''
    assert (said.contactor_commanded, said.contactor_feedback) == (True, True)
    assert said.cp_high == pytest.approx(6.0, abs=0.2)
    assert said.cp_low == pytest.approx(-12.0, abs=0.2)
    assert computer.offered == pytest.approx(16.0, abs=0.01)
    assert computer.plant.amperage == pytest.approx((16.0,) * 3, abs=0.1)


def test_it_samples_at_200_hz_or_more(charging: tuple[LiveComputer, Topics]) -> None:
    _, topics = charging

    def told() -> list[tuple[float, int]]:
        return [(array.header.stamp.sec + 1e-9 * array.header.stamp.nanosec, int(value.value))
                for array in topics.all(DIAGNOSTICS) for status in array.status
                if status.name.endswith('iso61851: device') for value in status.values
                if value.key == 'samples']

    already = len(told())
    wait_until(lambda: len(told()) >= already + 4, 10.0, 'samples are told')
    (start, before), *_, (end, after) = told()[already:]
    print(f'{(after - before) / (end - start):.0f} samples/s')
    assert (after - before) / (end - start) >= 200.0


def test_a_shorted_pilot_opens_at_once_and_clears(charging: tuple[LiveComputer, Topics]) -> None:
    computer, topics = charging
    since = computer.short(True)
    try:
        wait_until(lambda: not computer.closed, 2.0, 'the contactor opens')
        assert computer.opened(since) <= AT_ONCE + LOOK
        topics.wait_for(CONTROL_PILOT, lambda p: p.fault == 'CpShortCircuit', 2.0, 'it is said')
        assert computer.offered == 0.0
    finally:
        computer.short(False)
    topics.wait_for(CONTROL_PILOT, lambda p: p.fault == '', 5.0, 'it is over')


def test_unplugged_under_load(charging: tuple[LiveComputer, Topics]) -> None:
    computer, topics = charging
    since = time.monotonic()
    computer.unplug()
    try:
        wait_until(lambda: not computer.closed, 2.0, 'the contactor opens')
        assert computer.opened(since) <= AT_ONCE + LOOK
        said = topics.wait_for(CONTROL_PILOT, lambda p: p.vehicle_status == 'A', 2.0, 'A is said')
        assert said.recent_error_cause == 'EvDisconnect' and computer.offered == 0.0
    finally:
        computer.plug_in()


def test_the_control_process_is_killed(charging: tuple[LiveComputer, Topics]) -> None:
    computer, _ = charging
    since = time.monotonic()
    os.kill(computer.pid(), signal.SIGKILL)
    wait_until(lambda: not computer.closed and computer.offered == 0.0, 5.0, 'all is withdrawn')
    assert computer.opened(since) <= AT_ONCE + LOOK     # the kernel takes the line back
    assert computer.withdrawn(since) <= STANDS


def test_the_control_process_hangs(charging: tuple[LiveComputer, Topics]) -> None:
    computer, _ = charging
    since = time.monotonic()
    os.kill(computer.pid(), signal.SIGSTOP)
    wait_until(lambda: not computer.closed and computer.offered == 0.0, 5.0, 'all is withdrawn')
    assert computer.opened(since) <= STANDS     # 'pulses' on the line would be faster
    assert computer.withdrawn(since) <= STANDS


def test_its_guard_is_killed(charging: tuple[LiveComputer, Topics]) -> None:
    """The process is an orphan then: it withdraws, and ends once its contactor is open."""
    computer, _ = charging
    assert computer.process is not None
    pid, since = computer.pid(), time.monotonic()
    computer.process.process.kill()
    computer.process.process.wait()
    wait_until(lambda: not computer.closed and computer.offered == 0.0, ENDED, 'all is withdrawn')
    wait_until(lambda: not Path(f'/proc/{pid}').exists(), ENDED, 'the process has ended')
    opened, ended = computer.opened(since), time.monotonic() - since
    print(f'withdrawn {computer.withdrawn(since):.2f} s, opened {opened:.2f} s, '
          f'ended {ended:.2f} s after')
    assert computer.withdrawn(since) <= STANDS
    assert opened <= ended <= ENDED
    computer.start(PARAMETERS)


def test_it_says_good_bye(charging: tuple[LiveComputer, Topics]) -> None:
    computer, _ = charging
    assert computer.process is not None
    assert computer.process.end() == 0
    wait_until(lambda: not computer.closed, 2.0, 'the contactor is open')
    assert computer.offered == 0.0
    assert 'ended without a good-bye' not in ''.join(computer.process.lines[-5:])
