"""The API block: validation, expiry, W -> A, and what acts before or after it is written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger_control.core.api import Answer, Api, ApiConfig, RefusedError, SetLimits, Write
from charger_control.core.heard import Heard
from charger_control.core.limits import in_force
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.moment import Moment
from charger_control.core.units import FOREVER, NAN

CONFIG = ApiConfig()
SWITCHING = ApiConfig(has_phase_shutoff=True)
ONE_PHASE = SetLimits(set_one_phase_limit=True, one_phase_limit=True)


def amperage(value: float, **more: Any) -> SetLimits:
    return SetLimits(set_amperage_limit=True, amperage_limit=value, client='evcc', **more)


def power(value: float) -> SetLimits:
    return SetLimits(set_power_limit=True, power_limit=value)


def enabled(value: bool) -> SetLimits:
    return SetLimits(set_enabled=True, enabled=value)


def timeout(value: float) -> SetLimits:
    return SetLimits(set_timeout=True, timeout=value)


def present(now: float) -> Moment:
    return Moment('boot', now, 1e9 + now, True)


def next_write(api: Api, now: float = 0.0) -> Write:
    write = api.next_write(present(now))
    assert write is not None
    return write


def proposed(api: Api, request: SetLimits, now: float = 0.0) -> Write:
    """Asks, and begins to write it."""
    number = api.propose(request, present(now))
    write = next_write(api, now)
    assert write.number == number
    return write


def ended(api: Api, now: float, error: str = '') -> list[Answer]:
    """The next write begins and ends."""
    return api.settle(next_write(api, now).number, error)


def written(api: Api, request: SetLimits, now: float = 0.0) -> Write:
    """Asks, and has it written."""
    write = proposed(api, request, now)
    (answer,) = api.settle(write.number, '')
    assert (answer.number, answer.success, answer.code) == (write.number, True, 'OK')
    return write


def with_(*requests: SetLimits, config: ApiConfig = CONFIG) -> Api:
    """The block with what was asked for, its meter at 230 V until 11 s."""
    api = Api(config)
    api.hear_meter(Heard(MeterReading((230.0,) * 3, (0.0,) * 3), 0.0))
    for request in requests:
        written(api, request)
    return api


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


# -- what is allowed -----------------------------------------------------------------------------
@pytest.mark.parametrize(('request_', 'name', 'value', 'allowed'), [
    (amperage(-0.1), 'amperage_limit', '-0.1', '0 to 80 A'),
    (amperage(80.1), 'amperage_limit', '80.1', '0 to 80 A'),
    (amperage(math.inf), 'amperage_limit', 'inf', '0 to 80 A'),
    (amperage(1e308), 'amperage_limit', '1e+308', '0 to 80 A'),
    (power(-1.0), 'power_limit', '-1', '0 to 55200 W'),
    (power(55_200.5), 'power_limit', '55200.5', '0 to 55200 W'),
    (power(-math.inf), 'power_limit', '-inf', '0 to 55200 W'),
    (timeout(0.999), 'timeout', '0.999', '1 to 86400 s'),
    (timeout(86_400.5), 'timeout', '86400.5', '1 to 86400 s'),
    (timeout(NAN), 'timeout', 'nan', '1 to 86400 s'),
])
def test_out_of_range_is_named_and_nothing_is_applied(request_: SetLimits, name: str, value: str,
                                                      allowed: str) -> None:
    api = with_(amperage(16.0))
    before, limit = api.document(1.0), api.limit(1.0)
    whole = replace(request_, set_enabled=True, enabled=False)  # a good one beside it
    with pytest.raises(RefusedError) as caught:
        api.propose(whole, present(1.0))
    assert caught.value.code == 'OutOfRange'
    for part in (name, value, allowed):
        assert part in str(caught.value)
    assert repr(api.document(1.0)) == repr(before)
    assert repr(api.limit(1.0)) == repr(limit)


def test_a_request_for_nothing_is_refused_and_renews_nothing() -> None:
    api = with_(amperage(10.0))
    with pytest.raises(RefusedError) as caught:
        api.propose(SetLimits(amperage_limit=16.0, client='x'), present(100.0))
    assert caught.value.code == 'NothingSet'
    assert api.document(100.0).expires_in == 200.0


@pytest.mark.parametrize('edge', [amperage(0.0), amperage(80.0), power(0.0), power(55_200.0),
                                  timeout(1.0), timeout(86_400.0), amperage(NAN), power(NAN)])
def test_the_edges_are_allowed(edge: SetLimits) -> None:
    with_(edge)


# -- what it means -------------------------------------------------------------------------------
@pytest.mark.parametrize(('request_', 'expected'), [
    (amperage(10.0), 10.0), (amperage(6.0), 6.0), (amperage(5.999), 0.0), (amperage(0.0), 0.0),
    (amperage(80.0), 80.0), (amperage(NAN), NAN),
    (power(6900.0), 10.0), (power(1379.0), 0.0), (power(4140.0), 6.0), (power(4000.0), 0.0),
    (power(1380.0), 0.0),  # on three phases that is 2 A
    (power(55_200.0), 80.0), (power(NAN), NAN),
    (enabled(False), 0.0), (enabled(True), NAN), (timeout(60.0), NAN),
    (replace(amperage(16.0), set_power_limit=True, power_limit=6900.0), 10.0),
    (replace(amperage(8.0), set_power_limit=True, power_limit=6900.0), 8.0),
    (replace(amperage(8.0), set_enabled=True, enabled=False), 0.0),
])
def test_limit_of_values(request_: SetLimits, expected: float) -> None:
    limit = with_(request_).limit(0.0)
    assert limit.amperage == pytest.approx(expected, nan_ok=True)
    assert limit.refusal() == ''


def test_nobody_has_set_anything() -> None:
    limit = Api(CONFIG).limit(5.0)
    assert math.isnan(limit.amperage)
    assert math.isnan(limit.lost_amperage)
    assert (limit.phases, limit.valid_for) == (0, FOREVER)
    document = Api(CONFIG).document(5.0)
    assert (document.enabled, document.timeout, document.expires_in) == (True, 300.0, 0.0)
    assert document.persistent


def test_values_are_echoed_as_set_and_given_back() -> None:
    api = with_(amperage(5.0), power(100.0), enabled(False), timeout(60.0))
    write = proposed(api, SetLimits(set_phase_rotation=True, phase_rotation=True))
    (answer,) = api.settle(write.number, '')
    assert (answer.success, answer.code) == (True, 'NoEffect')
    assert 'cannot rotate' in answer.message
    document = api.document(10.0)
    assert (document.amperage_limit, document.power_limit) == (5.0, 100.0)
    assert (document.enabled, document.timeout, document.expires_in) == (False, 60.0, 50.0)
    assert document.phase_rotation
    written(api, SetLimits(set_enabled=True, enabled=False, give_enabled_back=True))
    written(api, replace(amperage(NAN), set_power_limit=True, power_limit=NAN))
    document = api.document(0.0)
    assert document.enabled
    assert math.isnan(document.amperage_limit)
    assert document.expires_in == 0.0  # nothing is set
    assert math.isnan(api.limit(0.0).amperage)


def test_one_phase() -> None:
    api = with_(ONE_PHASE, config=SWITCHING)
    assert api.limit(0.0).phases == 1
    assert math.isnan(api.limit(0.0).amperage)
    assert api.limit(301.0).phases == 0
    written(api, SetLimits(set_one_phase_limit=True, one_phase_limit=False))
    assert api.limit(0.0).phases == 0


def test_one_phase_is_refused_where_nothing_can_switch_to_it() -> None:
    """It answered OK, was shown as active, and three phases carried 15.2 A."""
    api = with_(amperage(10.0))
    both = replace(ONE_PHASE, set_amperage_limit=True, amperage_limit=16.0)
    with pytest.raises(RefusedError, match='cannot switch to one phase') as refused:
        api.propose(both, present(1.0))
    assert refused.value.code == 'NotSupported'
    assert (api.limit(1.0).amperage, api.limit(1.0).phases) == (10.0, 0)
    assert not api.document(1.0).one_phase_limit
    written(api, SetLimits(set_one_phase_limit=True, one_phase_limit=False))


def test_one_phase_is_no_wish_where_there_is_only_one() -> None:
    assert with_(ONE_PHASE, config=ApiConfig(phases=1)).limit(0.0).phases == 1


def test_one_phase_that_was_stored_with_other_hardware_is_not_claimed() -> None:
    write = proposed(with_(ONE_PHASE, config=SWITCHING), amperage(10.0))
    api = Api(CONFIG)
    api.restore(write.stored, None, present(1.0))
    assert (api.limit(1.0).phases, api.document(1.0).one_phase_limit) == (0, False)
    assert api.limit(1.0).amperage == 10.0


def test_the_reason_says_who_what_and_how_long() -> None:
    api = with_(amperage(10.0, set_timeout=True, timeout=255.0))
    assert api.limit(10.0).reason == 'API: 10 A set by evcc, 245 s left'
    assert api.limit(256.0).reason == 'API: 10 A set by evcc has lapsed'
    assert '0 A' in with_(amperage(5.0)).limit(0.0).reason
    assert '10.00 A on 3 x 230 V' in with_(power(6900.0)).limit(0.0).reason
    odd = with_(replace(amperage(9.0), client='a\nb\x1b[31m' + 'c' * 200)).limit(0.0).reason
    assert odd.isprintable()
    assert len(odd) < 120


# -- expiry --------------------------------------------------------------------------------------
def test_a_value_lapses_at_its_timeout_and_is_still_shown() -> None:
    api = with_(amperage(10.0, set_timeout=True, timeout=60.0))
    limit = api.limit(20.0)
    assert (limit.amperage, limit.valid_for) == (10.0, 40.0)
    assert math.isnan(limit.lost_amperage)
    assert api.limit(59.999).amperage == 10.0
    assert math.isnan(api.limit(60.0).amperage)
    assert api.limit(60.0).valid_for == FOREVER
    assert (api.document(60.0).amperage_limit, api.document(60.0).expires_in) == (10.0, 0.0)


def test_each_write_of_any_value_renews_all() -> None:
    api = with_(amperage(10.0))
    written(api, power(20_000.0), now=200.0)
    assert api.limit(499.0).amperage == 10.0
    assert math.isnan(api.limit(500.0).amperage)
    written(api, enabled(True), now=600.0)  # also what has lapsed
    assert api.limit(600.0).amperage == 10.0


@given(st.lists(st.tuples(st.floats(0.0, 400.0), st.booleans()), max_size=8))
def test_expiry_counts_from_the_last_accepted_write(steps: list[tuple[float, bool]]) -> None:
    api, now, last = Api(CONFIG), 0.0, 0.0
    written(api, amperage(10.0), now)
    for pause, good in steps:
        now += pause
        assert same(api.limit(now).amperage, 10.0 if now - last < 300.0 else NAN)
        if good:
            written(api, enabled(True), now)
            last = now
        else:
            with pytest.raises(RefusedError):
                api.propose(amperage(-1.0), present(now))
    assert api.document(now).expires_in == pytest.approx(max(0.0, 300.0 - (now - last)))


def test_an_amperage_can_be_held_after_the_timeout() -> None:
    config = ApiConfig(on_timeout_amperage=6.0)
    assert math.isnan(Api(config).limit(0.0).amperage)  # nothing has ever been set
    api = with_(amperage(16.0), config=config)
    limit = api.limit(100.0)
    assert (limit.amperage, limit.valid_for, limit.lost_amperage) == (16.0, 200.0, 6.0)
    held = api.limit(300.0)
    assert (held.amperage, held.valid_for, held.lost_amperage) == (6.0, FOREVER, 6.0)
    assert '6 A is held' in held.reason
    written(api, amperage(NAN), now=400.0)  # given back is not lapsed
    assert math.isnan(api.limit(400.0).amperage)


# -- power ---------------------------------------------------------------------------------------
def hear(api: Api, now: float, amperes: tuple[float, float, float],
         volts: tuple[float, float, float] = (230.0,) * 3) -> None:
    api.hear_meter(Heard(MeterReading(voltage=volts, amperage=amperes), now))


def test_power_counts_the_phases_that_are_used() -> None:
    api = with_(power(3680.0))
    assert api.limit(0.0).amperage == 0.0  # 5.3 A on three phases
    for now in range(12):
        hear(api, float(now), (15.0, 0.0, 0.0))
    assert api.limit(11.0).amperage == pytest.approx(16.0)
    hear(api, 12.0, (15.0, 1.0, 0.0))
    assert api.limit(12.0).amperage == pytest.approx(8.0)


def test_power_counts_the_voltage_that_is_measured_if_it_can_be_trusted() -> None:
    api = with_(power(7200.0))
    hear(api, 0.0, (0.0, 0.0, 0.0), (240.0, 240.0, 240.0))
    assert api.limit(0.0).amperage == pytest.approx(10.0)
    hear(api, 1.0, (0.0, 0.0, 0.0), (255.0, 240.0, NAN))
    assert api.limit(1.0).amperage == pytest.approx(7200 / 735)
    hear(api, 2.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert api.limit(2.0).amperage == pytest.approx(7200 / 735), 'for a while'
    assert api.limit(13.0).amperage == pytest.approx(7200 / 759)


def test_a_voltage_a_little_above_nominal_does_not_stop_what_is_meant_to_be_6_a() -> None:
    api = with_(power(4140.0))
    hear(api, 0.0, (0.0, 0.0, 0.0), (231.0, 231.0, 231.0))
    assert 5.95 <= api.limit(0.0).amperage < 6.0
    hear(api, 1.0, (0.0, 0.0, 0.0), (233.0, 233.0, 233.0))
    assert api.limit(1.0).amperage == 0.0


def test_a_one_phase_vehicle_that_pauses_under_3700_w_can_go_on() -> None:
    api = with_(power(3680.0))
    for now in range(12):
        api.hear_decision(Heard(Decision(requested_amperage=16.0), float(now)))
        hear(api, float(now), (15.0, 0.0, 0.0))
    for now in range(12, 200):
        api.hear_decision(Heard(Decision(requested_amperage=16.0), float(now)))
        hear(api, float(now), (0.0, 0.0, 0.0))
    assert api.limit(199.0).amperage == pytest.approx(16.0)
    api.hear_decision(Heard(Decision(), 200.0))      # unplugged, or a limit of 0
    assert api.limit(200.0).amperage == 0.0


def test_a_silent_meter_counts_all_connected_phases_and_253_v() -> None:
    api = Api(ApiConfig(meter_timeout=5.0))
    written(api, power(3680.0))
    for now in range(12):
        hear(api, float(now), (15.0, 0.0, 0.0), (220.0, 220.0, 220.0))
    assert api.limit(16.0).amperage == pytest.approx(3680 / 220)
    assert api.limit(16.5).amperage == 0.0
    written(api, power(7590.0), now=16.5)
    assert api.limit(16.5).amperage == 10.0
    written(api, power(3680.0), now=16.5)
    api.hear_meter(Heard(MeterReading((220.0,) * 3, (15.0, 0.0, 0.0), error='no answer'), 16.5))
    assert api.limit(16.5).amperage == 0.0


@pytest.mark.parametrize(('can', 'carrying', 'expected'), [
    (False, False, 0.0),   # asked for one phase, but nothing can switch: all three will draw
    (True, False, 16.0),
    (True, True, 0.0),     # switched off, they say, but all carry current
])
def test_switched_phases_count_only_where_they_can_be_switched_and_carry_nothing(
        can: bool, carrying: bool, expected: float) -> None:
    api = with_(power(3680.0), config=ApiConfig(has_phase_shutoff=can))
    api.hear_decision(Heard(Decision(phases=1), 0.0))
    hear(api, 0.0, (5.0, 5.0, 5.0) if carrying else (0.0, 0.0, 0.0))
    assert api.limit(0.0).amperage == pytest.approx(expected)


def test_a_charge_point_of_one_phase() -> None:
    assert with_(power(3680.0), config=ApiConfig(phases=1)).limit(0.0).amperage == 16.0


# -- raising and lowering ------------------------------------------------------------------------
@pytest.mark.parametrize(('before', 'request_', 'raises'), [
    ((), amperage(10.0), False),
    ((amperage(10.0),), amperage(8.0), False),
    ((amperage(10.0),), amperage(10.0), False),
    ((amperage(10.0),), amperage(10.01), True),
    ((amperage(10.0),), amperage(NAN), True),
    ((amperage(10.0),), enabled(False), False),
    ((enabled(False),), enabled(True), True),
    ((enabled(False),), SetLimits(give_enabled_back=True), True),
    ((enabled(True),), SetLimits(give_enabled_back=True), False),
    ((amperage(10.0),), timeout(600.0), False),          # longer: more restrictive
    ((amperage(10.0),), timeout(60.0), True),            # shorter: it is released earlier
    ((amperage(10.0),), replace(amperage(6.0), set_timeout=True, timeout=60.0), True),
    ((amperage(10.0),), power(20_000.0), False),
    ((power(4200.0),), amperage(16.0), False),           # the lower one counts
    ((power(4200.0),), power(6900.0), True),
    ((ONE_PHASE,), SetLimits(set_one_phase_limit=True, one_phase_limit=False), True),
    ((), ONE_PHASE, False),
    ((amperage(10.0),), SetLimits(set_phase_rotation=True, phase_rotation=True), False),
])
def test_which_requests_raise(before: tuple[SetLimits, ...], request_: SetLimits,
                              raises: bool) -> None:
    api = with_(*before, config=SWITCHING)
    assert proposed(api, request_).raises is raises


def test_to_go_on_above_what_is_held_after_the_timeout_is_a_raise() -> None:
    api = with_(amperage(16.0), config=ApiConfig(on_timeout_amperage=6.0))
    assert proposed(api, enabled(True), 100.0).raises
    low = with_(amperage(6.0), config=ApiConfig(on_timeout_amperage=8.0))
    assert not proposed(low, enabled(True), 100.0).raises


def test_lowering_acts_before_it_is_written_and_is_answered_after() -> None:
    api = with_(amperage(16.0))
    change = proposed(api, amperage(8.0), 1.0)
    assert api.limit(1.0).amperage == 8.0
    assert api.document(1.0).amperage_limit == 8.0
    assert change.stored['amperage'] == 8.0
    (answer,) = api.settle(change.number, '')
    assert (answer.success, answer.code) == (True, 'OK')


def test_raising_acts_after_it_is_written() -> None:
    api = with_(amperage(8.0))
    change = proposed(api, amperage(16.0), 1.0)
    limit = api.limit(1.0)
    assert limit.amperage == 8.0
    assert 'being stored: 16 A' in limit.reason
    assert api.document(1.0).amperage_limit == 8.0
    api.settle(change.number, '')
    assert api.limit(1.0).amperage == 16.0
    assert api.document(1.0).amperage_limit == 16.0


def test_lowering_that_cannot_be_written_acts_and_says_until_restart() -> None:
    api = with_(amperage(16.0))
    change = proposed(api, amperage(8.0), 1.0)
    (answer,) = api.settle(change.number, 'disk full')
    assert (answer.success, answer.code) == (True, 'UntilRestart')
    assert 'until restart' in answer.message
    assert 'disk full' in answer.message
    assert api.limit(1.0).amperage == 8.0
    assert not api.document(1.0).persistent
    assert api.unsaved == 'disk full'


def test_raising_that_cannot_be_written_does_not_act() -> None:
    api = with_(amperage(8.0))
    change = proposed(api, amperage(16.0), 100.0)
    assert api.settle(change.number, 'I/O error', may_be_written=True) == []
    over = next_write(api, 100.0)
    assert over.stored['amperage'] == 8.0
    (answer,) = api.settle(over.number, '')
    assert (answer.number, answer.success, answer.code) == (change.number, False, 'StoreFailed')
    assert 'I/O error' in answer.message
    assert api.limit(100.0).amperage == 8.0
    assert api.document(100.0).expires_in == 200.0  # nor was anything renewed


def test_a_disk_that_refuses_everything_is_answered_too() -> None:
    api = with_(amperage(8.0))
    change = proposed(api, amperage(16.0), 1.0)
    api.settle(change.number, 'I/O error', may_be_written=True)
    (answer,) = ended(api, 1.0, 'I/O error')
    assert (answer.number, answer.code) == (change.number, 'StoreFailed')


def test_both_at_once_lowers_first() -> None:
    """16 A and 4.2 kW -> 8 A and 11 kW: more on three phases, but at most 8 A at once."""
    api = with_(amperage(16.0), power(4140.0))
    change = proposed(api, replace(amperage(8.0), set_power_limit=True, power_limit=11_000.0))
    assert change.raises
    assert api.limit(0.0).amperage == 6.0
    for now in range(12):
        hear(api, float(now), (6.0, 0.0, 0.0))
    assert api.limit(11.0).amperage == 8.0  # on one phase the power would allow 18 A
    api.settle(change.number, '')
    assert api.limit(11.0).amperage == 8.0


def test_while_a_shorter_timeout_is_on_its_way_the_old_limit_outlives_it() -> None:
    api = with_(amperage(10.0))
    api.propose(replace(amperage(6.0), set_timeout=True, timeout=5.0), present(0.0))
    limit = api.limit(0.0)
    assert (limit.amperage, limit.valid_for, limit.lost_amperage) == (6.0, 5.0, 10.0)
    assert api.limit(6.0).amperage == 10.0


def test_requests_that_overtake_the_store_build_on_each_other() -> None:
    api = with_(amperage(8.0))
    up, off, on = (api.propose(request, present(1.0))
                   for request in (amperage(16.0), enabled(False), enabled(True)))
    assert api.limit(1.0).amperage == 0.0
    assert [(a.number, a.code) for a in ended(api, 1.0)] == [(up, 'OK')]
    assert api.limit(1.0).amperage == 0.0
    assert not api.document(1.0).enabled
    assert [a.number for a in ended(api, 1.0)] == [off]
    last = next_write(api, 1.0)
    assert (last.stored['amperage'], last.stored['enabled'], last.raises) == (16.0, True, True)
    assert [a.number for a in api.settle(last.number, '')] == [on]
    assert api.limit(1.0).amperage == 16.0
    assert api.document(1.0).persistent


def test_one_write_is_under_way_at_a_time() -> None:
    api = with_(amperage(8.0))
    api.propose(amperage(16.0), present(1.0))
    api.propose(enabled(False), present(1.0))
    assert api.next_write(present(1.0)) is not None
    assert api.next_write(present(1.0)) is None


def test_a_raise_that_was_refused_is_in_no_later_write() -> None:
    """The next request's write carried it along: 16 A acted after a kill."""
    api = with_(amperage(8.0))
    numbers = [api.propose(request, present(1.0))
               for request in (amperage(16.0), power(20_000.0), enabled(False))]
    codes = [(a.number, a.code) for a in ended(api, 1.0, 'disk full')]
    while (write := api.next_write(present(1.0))) is not None:
        assert write.stored['amperage'] == 8.0
        codes += [(a.number, a.code) for a in api.settle(write.number, '')]
    assert codes == list(zip(numbers, ['StoreFailed', 'OK', 'OK'], strict=True))
    document = api.document(1.0)
    assert (document.amperage_limit, document.power_limit, document.enabled) == (
        8.0, 20_000.0, False)
    assert document.persistent


def test_the_wait_for_a_turn_that_does_not_come_ends() -> None:
    api = with_(amperage(8.0))
    up, down, higher = (api.propose(request, present(1.0))
                        for request in (amperage(16.0), amperage(7.0), amperage(9.0)))
    hung = next_write(api, 1.0)
    assert [(a.number, a.code) for a in api.settle(higher, 'slow')] == [(higher, 'StoreFailed')]
    assert [(a.number, a.code) for a in api.settle(down, 'slow')] == [(down, 'UntilRestart')]
    assert api.limit(1.0).amperage == 7.0
    assert [(a.number, a.code) for a in api.settle(hung.number, '')] == [(up, 'OK')]
    assert api.limit(1.0).amperage == 7.0
    assert not api.document(1.0).persistent
    assert ended(api, 1.0) == [], 'it was answered'
    ended(api, 1.0)
    assert api.document(1.0).persistent


def test_what_was_refused_by_the_store_is_tried_again_every_few_seconds() -> None:
    api = with_(amperage(16.0))
    assert api.next_write(present(1.0)) is None
    api.settle(proposed(api, amperage(8.0), 1.0).number, 'disk full')
    first = next_write(api, 1.0)
    assert api.next_write(present(2.0)) is None  # one is under way
    assert api.settle(first.number, 'disk full') == []
    assert api.next_write(present(5.9)) is None
    second = next_write(api, 6.0)
    assert second.stored['amperage'] == 8.0
    api.settle(second.number, '')
    assert api.unsaved == ''
    api.lost('the file was replaced')
    assert not api.document(7.0).persistent
    assert api.next_write(present(7.0)) is not None


# -- a store that cannot be read -----------------------------------------------------------------
def test_what_cannot_be_read_holds_at_the_safe_value_until_it_can() -> None:
    stored = json.loads(json.dumps(written(Api(CONFIG), amperage(12.0)).stored))
    api = Api(CONFIG)
    api.restore_later()
    assert api.limit(1.0).amperage == 0.0
    assert 'cannot be read' in api.limit(1.0).reason
    assert api.next_write(present(1.0)) is None, 'nothing is written over what is not known'
    api.restore(stored, None, present(2.0))
    assert api.limit(2.0).amperage == 12.0


@pytest.mark.parametrize(('asked', 'during', 'after'), [(16.0, 10.0, 12.0), (8.0, 8.0, 8.0)])
def test_a_request_in_between_counts_on_top_of_what_is_read_at_last(
        asked: float, during: float, after: float) -> None:
    stored = written(Api(CONFIG), amperage(12.0)).stored
    api = Api(replace(CONFIG, unreadable_amperage=10.0))
    api.restore_later()
    number = api.propose(amperage(asked), present(1.0))
    assert api.limit(1.0).amperage == during
    api.restore(stored, None, present(2.0))
    assert api.limit(2.0).amperage == after
    ended(api, 2.0)
    assert [(a.number, a.code) for a in ended(api, 2.0)] == [(number, 'OK')]
    assert api.limit(2.0).amperage == asked


def test_nothing_was_stored_after_all() -> None:
    api = Api(CONFIG)
    api.restore_later()
    api.restore(None, None, present(2.0))
    assert math.isnan(api.limit(2.0).amperage)


# -- restart -------------------------------------------------------------------------------------
def restarted(stored: dict[str, Any], later: Moment, beat: Moment | None = None,
              config: ApiConfig = CONFIG) -> Api:
    api = Api(config)
    api.restore(json.loads(json.dumps(stored, allow_nan=False)), beat, later)
    assert ended(api, later.now) == []
    assert api.document(later.now).persistent
    return api


def test_values_go_on_with_what_remained() -> None:
    change = written(with_(power(20_000.0), enabled(True)), amperage(10.0), now=50.0)
    api = restarted(change.stored, Moment('boot', 150.0, 5.0, False))  # the wall clock is not asked
    assert api.limit(150.0).amperage == 10.0
    assert api.limit(150.0).valid_for == 200.0
    document = api.document(150.0)
    assert (document.power_limit, document.enabled, document.timeout) == (20_000.0, True, 300.0)
    assert math.isnan(restarted(change.stored, present(350.0)).limit(350.0).amperage)


def test_time_without_power_counts_if_the_clock_can_be_trusted() -> None:
    change = written(Api(CONFIG), amperage(10.0), now=50.0)
    api = restarted(change.stored, Moment('next', 5.0, 1e9 + 150.0, True))
    assert (api.limit(5.0).amperage, api.limit(5.0).valid_for) == (10.0, 200.0)
    gone = restarted(change.stored, Moment('next', 5.0, 1e9 + 351.0, True))
    assert math.isnan(gone.limit(5.0).amperage)
    assert gone.document(5.0).amperage_limit == 10.0  # still shown


@pytest.mark.parametrize('later', [
    Moment('next', 5.0, 1e9 + 40.0, True),      # the clock went backwards
    Moment('next', 5.0, 1e9 + 9e6, False),      # or is not known to be right
    Moment('next', 5.0, 0.0, False),
])
def test_a_clock_that_cannot_be_trusted_never_lifts_a_limit_early(later: Moment) -> None:
    change = written(Api(CONFIG), amperage(10.0), now=50.0)
    api = restarted(change.stored, later)
    assert (api.limit(5.0).amperage, api.limit(5.0).valid_for) == (10.0, 300.0)
    assert 'clock' in api.limit(5.0).reason
    # what has certainly passed is counted
    proven = restarted(change.stored, later, Moment('boot', 170.0, 0.0, False))
    assert proven.limit(5.0).valid_for == 180.0
    # and what is left goes on from there over the next restart
    proven.propose(enabled(True), later)
    write = proven.next_write(later)
    assert write is not None
    again = Api(CONFIG)
    again.restore(write.stored, None, later)
    assert next_write(again, later.now).stored['remaining'] == 300.0


def test_where_it_is_not_known_whether_it_has_lapsed_the_lower_of_both_counts() -> None:
    config = ApiConfig(on_timeout_amperage=8.0)
    later = Moment('next', 5.0, 0.0, False)
    for value, expected in ((16.0, 8.0), (6.0, 6.0)):
        change = written(Api(config), amperage(value), now=50.0)
        api = restarted(change.stored, later, config=config)
        assert api.limit(5.0).amperage == expected
        assert api.limit(305.0).amperage == 8.0
        written(api, amperage(16.0), now=6.0)  # the next write ends the doubt
        assert api.limit(6.0).amperage == 16.0


def test_several_restarts_do_not_prolong_a_value_within_one_start_of_the_machine() -> None:
    stored = written(Api(CONFIG), amperage(10.0)).stored
    for now in (100.0, 200.0, 290.0):
        api = Api(CONFIG)
        api.restore(stored, None, present(now))
        stored = next_write(api, now).stored
        assert api.limit(now).valid_for == pytest.approx(300.0 - now)
    assert math.isnan(restarted(stored, present(301.0)).limit(301.0).amperage)


@pytest.mark.parametrize('change', [
    {'amperage': -1.0}, {'amperage': 'x'}, {'amperage': 81.0}, {'timeout': 0.0}, {'at': {}},
    {'remaining': -5.0}, {'power': 1e9}, {'timeout': None}, {'at': None},
])
def test_stored_rubbish_is_refused_in_words(change: dict[str, Any]) -> None:
    stored = written(Api(CONFIG), amperage(10.0)).stored
    with pytest.raises(ValueError, match='stored API limits cannot be read'):
        Api(CONFIG).restore(stored | change, None, present(0.0))
    with pytest.raises(ValueError, match='stored API limits cannot be read'):
        Api(CONFIG).restore({}, None, present(0.0))


def test_what_cannot_be_read_counts_as_lapsed() -> None:
    api = Api(ApiConfig(on_timeout_amperage=6.0))
    api.restore_unreadable()
    assert api.limit(0.0).amperage == 6.0
    released = Api(CONFIG)
    released.restore_unreadable()
    assert math.isnan(released.limit(0.0).amperage)


# -- all of it, over random histories ------------------------------------------------------------
REQUESTS = st.one_of(
    st.builds(amperage, st.sampled_from([NAN, 0.0, 5.0, 6.0, 10.0, 16.0, 32.0])),
    st.builds(power, st.sampled_from([NAN, 0.0, 4140.0, 7000.0, 11_000.0])),
    st.builds(enabled, st.booleans()),
    st.just(SetLimits(give_enabled_back=True)),
    st.builds(timeout, st.sampled_from([1.0, 30.0, 300.0])),
    st.builds(lambda on: SetLimits(set_one_phase_limit=True, one_phase_limit=on), st.booleans()))
STEPS = st.lists(st.tuples(
    st.sampled_from(['ask', 'ask', 'ask', 'written', 'written', 'failed', 'both', 'slow', 'wait',
                     'crash']),
    REQUESTS, st.floats(0.0, 100.0)), max_size=25)
HORIZON = (0.0, 0.5, 1.0, 29.0, 30.0, 299.0, 300.0, 1000.0)


class History:
    """A block and the disk under it: what is stored, and the write on its way."""

    def __init__(self, config: ApiConfig) -> None:
        self.config = config
        self.api = Api(config)
        self.now = 0.0
        self.stored: dict[str, Any] | None = None
        self.confirmed: dict[str, Any] | None = None  # what is known to be stored
        self.asked: dict[int, SetLimits] = {}
        self.unsure = False

    def courses(self, api: Api) -> list[tuple[float, bool]]:
        """What ``api`` would allow from now on, if nothing more happened to it."""
        limits = [api.limit(self.now + later) for later in HORIZON]
        assert all(limit.refusal() == '' for limit in limits)
        return [(limit.amperage, limit.phases == 1) for limit in limits]

    def restart_from(self, stored: dict[str, Any] | None) -> Api:
        """The block as a restart would find it."""
        api = Api(self.config)
        if stored is not None:
            api.restore(stored, None, present(self.now))
        return api

    def ask(self, request: SetLimits) -> None:
        self.asked[self.api.propose(request, present(self.now))] = request

    def settle(self, error: str, *, on_disk: bool) -> None:
        """A write begins and ends; ``on_disk``: it is there, whatever is said of it."""
        write = self.api.next_write(present(self.now))
        if write is None:
            return
        if on_disk:
            self.stored = write.stored
            # refused by a disk that has it all the same: nobody can answer for that until the next
            # write has succeeded
            self.unsure = bool(error) and write.raises
        if not error:
            self.confirmed = write.stored
        for answer in self.api.settle(write.number, error, may_be_written=on_disk):
            self.answered(answer)
            assert (answer.code != 'UntilRestart') or error

    def give_up(self) -> None:
        """Those that have waited for their turn are answered."""
        begun = self.api.next_write(present(self.now))
        for number in [n for n in self.asked if begun is None or n != begun.number]:
            for answer in self.api.settle(number, 'slow'):
                self.answered(answer)
        if begun is not None:
            self.stored = self.confirmed = begun.stored
            for answer in self.api.settle(begun.number, ''):
                self.answered(answer)

    def answered(self, answer: Answer) -> None:
        del self.asked[answer.number]  # one answer each
        assert answer.success == (answer.code in ('OK', 'UntilRestart'))

    def crash(self) -> None:
        self.asked.clear()
        self.api = self.restart_from(self.stored)
        self.confirmed = self.stored


def at_most(low: list[tuple[float, bool]], high: list[tuple[float, bool]]) -> bool:
    """Whether the first allows no more than the second, at any time."""
    return all((math.isnan(b) or a <= b) and (one_a or not one_b or a == 0.0)
               for (a, one_a), (b, one_b) in zip(low, high, strict=True))


@settings(max_examples=300)
@given(STEPS, st.sampled_from([NAN, 0.0, 6.0, 16.0]))
def test_asking_never_raises_and_nothing_acts_that_a_restart_would_take_back(
        steps: list[tuple[str, SetLimits, float]], hold: float) -> None:
    history = History(ApiConfig(on_timeout_amperage=hold, has_phase_shutoff=True))
    for what, request, pause in steps:
        before = history.courses(history.api)
        if what == 'ask':
            history.ask(request)
            assert at_most(history.courses(history.api), before)
            asked_for = 0.0 if request.enabled is False else request.amperage_limit
            assert not history.api.limit(history.now).amperage > asked_for  # what lowers, acts
        elif what == 'written':
            history.settle('', on_disk=True)
        elif what == 'failed':
            history.settle('disk full', on_disk=False)
        elif what == 'both':
            history.settle('disk full', on_disk=True)
        elif what == 'slow':
            history.give_up()
        elif what == 'crash':
            known = history.courses(history.restart_from(history.confirmed))
            answered = not history.asked and not history.unsure
            history.crash()
            # a raise that was refused has left no trace
            assert not answered or at_most(history.courses(history.api), known)
        else:
            history.now += pause
        # a limit in force is never above the one that is known to be on disk
        assert at_most(history.courses(history.api),
                       history.courses(history.restart_from(history.confirmed)))
    for _ in range(100):
        history.now += 5.0
        history.settle('', on_disk=True)
    assert not history.asked
    assert history.api.document(history.now).persistent
    found = history.restart_from(history.stored)
    assert repr(history.courses(history.api)) == repr(history.courses(found))


@given(st.builds(amperage, st.floats(0.0, 80.0)), st.floats(0.0, 400.0))
def test_the_receiver_of_the_last_word_sees_what_we_would_have_said(request_: SetLimits,
                                                                    later: float) -> None:
    for hold in (NAN, 0.0, 6.0):
        api = with_(request_, config=ApiConfig(on_timeout_amperage=hold))
        if abs(later - 300.0) > 1e-6:
            assert same(in_force(Heard(api.limit(0.0), 0.0), later), api.limit(later).amperage)
