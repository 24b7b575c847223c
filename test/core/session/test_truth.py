"""A session whose meter jumps or hangs, or whose clock is set late, is recorded as it was."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from charger_control.core.energy_register import energy_of
from charger_control.core.fiscal_meter import FiscalMeter, FiscalMeterConfig
from charger_control.core.heard import Heard
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.core.session import Session, SessionConfig, SessionRecord

POWER = 22_080.0
TICK = 1.0
WALL = 1_750_000_000.0

Register = Callable[[float, float], float]
"""From s since the start and kWh counted since then to what the meter shows."""


class Chain:
    """fiscal_meter and session on one clock, with a meter that shows what it is made to."""

    def __init__(self, register: Register = lambda at, counted: 1234.5 + counted) -> None:
        self.config = SessionConfig(max_power=80_000.0)
        self.register = register
        self.now = self.counted = 0.0
        self.serial, self.trusted, self.wrong_by, self.answers = 'SN1', True, 0.0, True
        self.ids = (f'session-{n}' for n in itertools.count(1))
        self.store: dict[str, SessionRecord] = {}
        self.session = Session(self.config, lambda: next(self.ids))
        self.meter = FiscalMeter(FiscalMeterConfig())
        self.told: list[MeterReading] = []

    def restart(self) -> None:
        """kill -9 of everything."""
        self.meter = FiscalMeter(FiscalMeterConfig())
        self.session = Session(self.config, lambda: next(self.ids))
        records = sorted(self.store.values(), key=lambda r: r.saved.now, reverse=True)
        self.keep(self.session.restore(records[0] if records else None, [], records))

    def keep(self, records: list[SessionRecord]) -> None:
        self.store.update((r.transaction.session_id, r) for r in records)

    def run(self, time: float, letter: str = 'A', power: float = 0.0) -> Transaction:
        for _ in range(round(time / TICK)):
            self.now += TICK
            self.counted += energy_of(power, TICK)
            current = power / 690.0
            sample = Heard(MeterReading((230.0,) * 3, (current,) * 3, 50.0, power, self.register(
                self.now, self.counted), self.serial), self.now)
            told = self.meter.step(self.now, sample if self.answers else None, 'no answer')
            if told is not None:
                self.told.append(told)
                self.session.hear_meter(Heard(told, self.now))
            offer = 32.0 if power else 0.0
            self.session.hear_pilot(Heard(ControlPilot(letter, f'{letter}2', offer), self.now))
            wall = WALL + self.now + self.wrong_by
            self.keep(self.session.step(Moment('boot', self.now, wall, self.trusted)))
        return self.session.transaction

    def charge(self, time: float = 3600.0) -> Transaction:
        """A session of ``time`` s at 22.08 kW; returns it once it has ended."""
        self.run(5.0)
        self.run(5.0, 'B')
        self.run(time, 'C', POWER)
        self.run(5.0, 'B')
        return self.run(10.0)

    def kept(self, number: int = 1) -> Transaction:
        return self.store[f'session-{number}'].transaction


def energy(transaction: Transaction) -> float:
    return transaction.meter_stop - transaction.meter_start


# -- T1: the register -----------------------------------------------------------------------------

def zero_first(at: float, counted: float) -> float:
    return 0.0 if at <= 3.0 else 1234.5 + counted


def falls_before(at: float, counted: float) -> float:
    return (532.0 if at <= 4.0 else 264.9) + counted


def falls_in_mid_session(at: float, counted: float) -> float:
    return (532.0 if at <= 1800.0 else 264.9) + counted


def first_is_absurd(at: float, counted: float) -> float:
    return 9999.0 if at <= TICK else 1234.5 + counted


def first_three_seconds_absurd(at: float, counted: float) -> float:
    return 9999.0 if at <= 3.0 else 1234.5 + counted


def falls_twice(at: float, counted: float) -> float:
    return (532.0 if at <= 900.0 else 264.9 if at <= 2500.0 else 1.0) + counted


@pytest.mark.parametrize('register', [
    zero_first, falls_before, falls_in_mid_session, first_is_absurd, first_three_seconds_absurd,
    falls_twice])
def test_a_session_of_22_kwh_is_recorded_as_such_whatever_the_register_does(register) -> None:
    chain = Chain(register)
    ended = chain.charge()
    assert energy(ended) == pytest.approx(22.080, abs=0.01)
    assert energy(chain.kept()) == pytest.approx(22.080, abs=0.01)
    assert list(chain.store) == ['session-1']
    assert ended.billable is (register is first_is_absurd)


def test_energy_goes_on_while_the_register_contradicts_and_is_marked() -> None:
    chain = Chain(falls_in_mid_session)
    chain.run(5.0)
    chain.run(1795.0, 'C', POWER)
    before = chain.session.transaction
    during = chain.run(30.0, 'C', POWER)
    assert (before.energy_estimated, during.energy_estimated) == (False, True)
    assert energy(during) - energy(before) == pytest.approx(energy_of(POWER, 30.0), abs=0.005)
    after = chain.run(40.0, 'C', POWER)
    assert (after.energy_estimated, after.billable) == (False, False)


def test_a_session_that_ends_on_an_estimate_is_not_billable() -> None:
    chain = Chain(falls_in_mid_session)
    chain.run(5.0)
    chain.run(1815.0, 'C', POWER)
    ended = chain.run(10.0)
    assert not math.isnan(ended.ended_time)
    assert (ended.billable, ended.energy_estimated) == (False, True)


def test_another_serial_number_closes_the_session_at_once_and_begins_another() -> None:
    chain = Chain()
    chain.run(5.0)
    chain.run(100.0, 'C', POWER)
    chain.serial, chain.register = 'SN2', lambda at, counted: 7.0 + counted
    chain.run(2.0, 'C', POWER)
    first, second = chain.kept(), chain.kept(2)
    assert energy(first) == pytest.approx(energy_of(POWER, 100.0), abs=0.01)
    assert math.isnan(second.ended_time)
    assert (first.billable, first.stop_reason) == (True, 'Other')


def test_a_restart_while_the_register_shows_0_ends_no_session() -> None:
    chain = Chain()
    chain.run(5.0)
    chain.run(600.0, 'C', POWER)
    chain.restart()
    again = chain.now + 3.0
    chain.register = lambda at, counted: 0.0 if at <= again else 1234.5 + counted
    chain.run(600.0, 'C', POWER)
    ended = chain.run(10.0)
    assert list(chain.store) == ['session-1']
    assert energy(ended) == pytest.approx(energy_of(POWER, 1200.0), abs=0.01)


def test_a_register_that_never_becomes_consistent_is_an_error_after_ten_minutes() -> None:
    chain = Chain(lambda at, counted: 1000.0 + counted if at <= 60.0 else (at * 7919.0) % 900.0)
    chain.run(5.0)
    chain.run(640.0, 'C', POWER)
    assert chain.meter.register_problem(chain.now) == ''
    chain.run(30.0, 'C', POWER)
    assert 'not been consistent' in chain.meter.register_problem(chain.now)


# -- T3: the clock ---------------------------------------------------------------------------------

@pytest.mark.parametrize('wrong_by', [-WALL, -9 * 3600.0, 2 * 3600.0])
@pytest.mark.parametrize('set_after', [10.0, 1800.0, 3700.0])
@pytest.mark.parametrize('killed', [False, True])
def test_a_session_lasts_3600_s_whenever_the_clock_is_set(wrong_by: float, set_after: float,
                                                          killed: bool) -> None:
    chain = Chain()
    chain.trusted, chain.wrong_by = False, wrong_by
    chain.run(5.0)
    left, length = 3600.0, min(set_after, 3600.0)
    chain.run(length, 'C', POWER)
    if killed:
        chain.restart()
    left -= length
    if set_after > 3600.0:
        chain.run(set_after - 3600.0)
    chain.trusted, chain.wrong_by = True, 0.0
    if left:
        chain.run(left, 'C', POWER)
    chain.run(10.0)
    kept = chain.kept()
    # of a vehicle that left while nobody looked, the end is when it was stored last
    slack = 11.0 if killed and not left else 3.0
    assert kept.ended_time - kept.started_time == pytest.approx(3600.0, abs=slack)
    assert kept.started_time == pytest.approx(WALL + 6.0, abs=1.0)
    shown = chain.session.transaction
    assert (shown.started_time, shown.ended_time) == (kept.started_time, kept.ended_time)


def test_a_clock_that_is_never_known_to_be_right_still_tells_how_long() -> None:
    chain = Chain()
    chain.trusted, chain.wrong_by = False, 2 * 3600.0
    chain.run(5.0)
    chain.run(1800.0, 'C', POWER)
    chain.wrong_by = 0.0
    chain.run(1800.0, 'C', POWER)
    ended = chain.run(10.0)
    assert ended.ended_time - ended.started_time == pytest.approx(3600.0, abs=1.0)


# -- T15: a meter that is silent when the vehicle leaves -------------------------------------------

def test_energy_of_a_silence_across_unplug_is_counted_in_the_session_that_ended() -> None:
    chain = Chain()
    chain.run(5.0)
    chain.run(600.0, 'C', POWER)
    chain.answers = False
    chain.run(60.0, 'C', POWER)
    ended = chain.run(20.0)
    assert energy(ended) == pytest.approx(energy_of(POWER, 600.0), abs=0.02)
    chain.answers = True
    late = chain.run(5.0)
    assert energy(late) == pytest.approx(energy_of(POWER, 660.0), abs=0.01)
    assert energy(chain.kept()) == energy(late)
    assert not late.billable


def test_it_is_counted_when_the_next_vehicle_is_there_already() -> None:
    chain = Chain()
    chain.run(5.0)
    chain.run(600.0, 'C', POWER)
    chain.answers = False
    chain.run(60.0, 'C', POWER)
    chain.run(20.0)
    chain.run(20.0, 'B')
    chain.answers = True
    chain.run(5.0, 'B')
    assert energy(chain.kept()) == pytest.approx(energy_of(POWER, 660.0), abs=0.01)
    second = chain.run(100.0, 'C', POWER)
    assert energy(second) == pytest.approx(energy_of(POWER, 100.0), abs=0.01)
    assert second.billable


def test_it_is_counted_after_a_restart_too() -> None:
    chain = Chain()
    chain.run(5.0)
    chain.run(600.0, 'C', POWER)
    chain.answers = False
    chain.run(60.0, 'C', POWER)
    chain.run(20.0)
    chain.restart()
    chain.answers = True
    chain.run(5.0)
    assert energy(chain.kept()) == pytest.approx(energy_of(POWER, 660.0), abs=0.01)
