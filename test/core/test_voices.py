"""voices.py: who speaks on a topic, and what counts of what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.budget import Dimming, TeamBudget
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.messages.team import MemberAllocation, TeamAllocation
from charger_control.core.senders import MOST_SENDERS, Voices
from charger_control.core.voices import (
    ALLOCATION,
    AVAILABLE,
    BUDGET,
    HW_LIMIT,
    LIMIT,
    METER,
    PILOT,
    dimming,
)

NAN, INF = math.nan, math.inf
OWN, OTHER = '/cp01/api#1', '/tool#9'
RESTARTED = '/cp01/api#2'


class Ear:
    """One reader of one topic."""

    def __init__(self, rule):
        self.voices, self.last = Voices(rule), None

    def hear(self, at, value, sender=OWN, crowd=False):
        """What counts then; None for nothing."""
        self.last = self.voices.hear(Heard(value, at, sender, crowd))
        return None if self.last is None else self.last.value


def amperage(ear, at, value, sender=OWN, **how):
    return ear.hear(at, AmperageLimit(value, **how), sender).amperage


def offer(amperage_, *, enable=True, **how):
    return AvailableAmperage(amperage_, amperage_, enable, **how)


# -- limits ----------------------------------------------------------------------------------------

def test_one_voice_raises_and_lowers_at_once():
    ear = Ear(LIMIT)
    assert [amperage(ear, at, a) for at, a in ((0.0, 10.0), (0.1, 16.0), (0.2, 6.0))] == [
        10.0, 16.0, 6.0]
    assert not ear.last.contested
    assert ear.voices.contested(0.3) == ()


@pytest.mark.parametrize(('own', 'other', 'counts'), [
    (10.0, 16.0, 10.0), (16.0, 10.0, 10.0), (10.0, NAN, 10.0), (NAN, 10.0, 10.0),
    (0.0, 80.0, 0.0)])
def test_the_lowest_limit_of_two_counts_whoever_spoke_last(own, other, counts):
    ear = Ear(LIMIT)
    amperage(ear, 0.0, own)
    assert amperage(ear, 0.5, other, OTHER) == counts
    assert amperage(ear, 1.0, own) == counts
    assert ear.last.contested
    assert set(ear.voices.contested(1.0)) == {OWN, OTHER}


def test_another_voice_counts_for_10_s_after_its_last_word_and_never_longer():
    ear = Ear(LIMIT)
    amperage(ear, 0.0, 7.0, OTHER)
    assert amperage(ear, 10.0, 16.0) == 7.0
    assert amperage(ear, 10.1, 16.0) == 16.0


def test_a_limit_that_lapses_leaves_what_counts_then():
    ear = Ear(LIMIT)
    amperage(ear, 0.0, 16.0, lost_amperage=6.0, valid_for=2.0)
    ear.hear(0.5, AmperageLimit(10.0), OTHER)
    limit = ear.last.value
    assert (limit.amperage, limit.valid_for, limit.lost_amperage) == (10.0, 1.5, 6.0)
    assert ear.hear(3.0, AmperageLimit(10.0), OTHER).amperage == 6.0


def test_the_fewest_phases_of_two_count():
    ear = Ear(LIMIT)
    ear.hear(0.0, AmperageLimit(16.0, 1))
    assert ear.hear(0.5, AmperageLimit(16.0, 3), OTHER).phases == 1


def test_a_word_that_cannot_be_is_passed_on_to_be_refused_and_moves_nobody():
    ear = Ear(HW_LIMIT)
    amperage(ear, 0.0, 16.0)
    assert math.isnan(amperage(ear, 0.1, NAN, OTHER))
    assert amperage(ear, 0.2, INF, OTHER) == INF
    assert amperage(ear, 0.3, 20.0) == 20.0
    assert ear.voices.contested(0.3) == ()


def test_a_node_that_was_started_again_is_no_second_voice():
    ear = Ear(LIMIT)
    amperage(ear, 0.0, 10.0)
    assert amperage(ear, 1.0, 16.0, RESTARTED) == 10.0, 'nobody knows yet that it was'
    assert amperage(ear, 2.6, 16.0, RESTARTED) == 16.0
    assert ear.voices.contested(2.6) == ()


def test_two_nodes_of_one_name_that_both_speak_are_two_voices():
    ear = Ear(LIMIT)
    for at in range(20):
        assert amperage(ear, at, 10.0) == 10.0
        assert amperage(ear, at + 0.5, 16.0, RESTARTED) == (10.0)
    assert set(ear.voices.contested(20.0)) == {OWN, RESTARTED}


def test_two_that_go_by_one_name_cannot_take_each_others_word_back():
    """Nameless tools, or a message that was copied: the graph alone shows that there are two."""
    ear = Ear(LIMIT)
    ear.hear(0.0, AmperageLimit(10.0), '', crowd=True)
    for step in range(1, 100):
        assert ear.hear(step * 0.02, AmperageLimit(16.0), '', crowd=True).amperage == 10.0
    assert ear.hear(2.6, AmperageLimit(16.0), '', crowd=True).amperage == 16.0


def test_a_flood_of_words_or_of_names_is_bounded_and_keeps_the_lowest():
    ear = Ear(LIMIT)
    ear.hear(0.0, AmperageLimit(7.0), '', crowd=True)
    for step in range(1000):
        value = ear.hear(step * 0.002, AmperageLimit(16.0 + step), '', crowd=True)
        assert value.amperage == 7.0
    ear = Ear(LIMIT)
    amperage(ear, 0.0, 7.0)
    for step in range(1000):
        assert amperage(ear, step * 0.002, 16.0, f'{step}') == 7.0
    voices = ear.voices._parties[None]
    assert len(voices) <= MOST_SENDERS
    assert sum(len(voice.words) for voice in voices.values()) < 100


# -- available -------------------------------------------------------------------------------------

def test_nobody_else_raises_what_the_controller_made_0():
    ear = Ear(AVAILABLE)
    for step in range(300):
        now = step * 0.02
        if step % 5 == 0:
            value = ear.hear(now, offer(0.0, enable=False))
            assert not value.enable
        value = ear.hear(now + 0.01, offer(16.0), OTHER)
        assert not value.enable or value.available_amperage == 0.0


def test_the_lowest_available_of_two_counts_with_the_lowest_commanded():
    ear = Ear(AVAILABLE)
    ear.hear(0.0, AvailableAmperage(10.0, 12.0, True, 3))
    value = ear.hear(0.1, AvailableAmperage(80.0, 11.0, True, 1), OTHER)
    assert (value.commanded_amperage, value.available_amperage, value.phases) == (10.0, 11.0, 1)


def test_an_available_that_holds_for_years_holds_2_s():
    ear = Ear(AVAILABLE)
    assert ear.hear(0.0, offer(16.0, valid_for=1e9)).valid_for == 2.0
    assert ear.hear(1.5, offer(10.0), OTHER).valid_for == 1.0
    assert ear.hear(1.6, offer(12.0, valid_for=0.1)).valid_for == pytest.approx(0.9), "the other's"


def test_in_a_crowd_an_offer_that_is_repeated_does_not_lapse_between_two_words():
    """A controller that was killed stays on the graph for 20 s: the next one's earlier words count
    for 1 s more, which is also how long they are valid."""
    ear = Ear(AVAILABLE)
    left = [ear.hear(step * 0.1, offer(12.0), crowd=True).valid_for for step in range(200)]
    assert min(left) == 1.0


def test_another_voice_that_ends_takes_nobodys_validity_along():
    ear = Ear(AVAILABLE)
    for step in range(100):
        if step % 10 == 0:
            ear.hear(step * 0.1 - 0.02, offer(16.0), OTHER)
        value = ear.hear(step * 0.1, offer(12.0))
        assert (value.available_amperage, value.valid_for) == (12.0, 1.0)
    ear = Ear(BUDGET)
    ear.hear(-0.1, TeamBudget('team', (32.0,) * 3, 10.0), OTHER)
    for now in range(15):
        value = ear.hear(float(now), TeamBudget('team', (20.0,) * 3, 10.0))
        assert (value.amperage, value.valid_for) == ((20.0,) * 3, 10.0)


def test_the_controllers_silence_leaves_the_other_after_its_validity():
    ear = Ear(AVAILABLE)
    ear.hear(0.0, offer(6.0))
    assert ear.hear(1.0, offer(16.0), OTHER).available_amperage == 6.0
    assert ear.hear(1.1, offer(16.0), OTHER).available_amperage == 16.0


@pytest.mark.parametrize('bad', [
    offer(NAN), offer(-1.0), offer(INF), offer(80.1), offer(16.0, phases=2),
    offer(16.0, valid_for=NAN), offer(16.0, valid_for=-1.0)])
def test_an_available_that_cannot_be_is_refused_in_words(bad):
    assert 'allowed' in bad.refusal()


# -- budget, meter ---------------------------------------------------------------------------------

def test_the_lowest_budget_of_each_phase_counts():
    ear = Ear(BUDGET)
    ear.hear(0.0, TeamBudget('team', (16.0, 20.0, 20.0), 10.0))
    value = ear.hear(0.5, TeamBudget('team', (80.0, 80.0, 10.0), 1e9), OTHER)
    assert (value.amperage, value.valid_for) == ((16.0, 20.0, 10.0), 60.0)
    assert ear.hear(1.0, TeamBudget('another', (80.0, 80.0, 80.0), 10.0), OTHER).amperage == (
        80.0, 80.0, 80.0), 'of another team: not the same thing'
    assert ear.hear(20.0, TeamBudget('team', (32.0,) * 3, 1e9)).valid_for == 60.0


def test_the_highest_current_and_voltage_of_two_meters_count_and_it_is_known():
    ear = Ear(METER)
    ear.hear(0.0, MeterReading((230.0, 229.0, NAN), (16.0, 1.0, NAN)))
    value = ear.hear(0.1, MeterReading((200.0, 240.0, 1.0), (3.0, 3.0, NAN)), OTHER)
    assert value.voltage == (230.0, 240.0, 1.0)
    assert value.amperage[:2] == (16.0, 3.0)
    assert math.isnan(value.amperage[2])
    ear.hear(0.2, MeterReading(amperage=(16.0, 1.0, NAN)))
    assert ear.last.contested


def test_where_meters_tell_no_current_the_highest_power_counts():
    ear = Ear(METER)
    ear.hear(0.0, MeterReading(active_power=9000.0, phase_power=(9000.0, 0.0, 0.0)))
    value = ear.hear(0.1, MeterReading(active_power=0.0, phase_power=(0.0, 500.0, 0.0)), OTHER)
    assert (value.active_power, value.phase_power) == (9000.0, (9000.0, 500.0, 0.0))


def test_the_lowest_power_of_all_clients_dims_until_its_heartbeat_runs_out():
    ear = Ear(dimming(120.0))
    assert ear.hear(0.0, Dimming(4200.0), 'grid operator').power == 4200.0
    assert ear.hear(1.0, Dimming(NAN), 'energy manager').power == 4200.0
    assert ear.hear(2.0, Dimming(9000.0), 'energy manager').power == 4200.0
    assert ear.hear(3.0, Dimming(11_000.0), 'grid operator').power == 9000.0
    assert ear.hear(123.5, Dimming(NAN), 'grid operator').power != ear.last.value.power, 'no limit'
    assert ear.hear(124.0, Dimming(-1.0), 'tool').power == -1.0, 'passed on, to be refused'


# -- control pilot ---------------------------------------------------------------------------------

PILOT_C = ControlPilot('C', 'C2', 16.0, cable_amperage=20.0)


def test_letters_that_differ_are_silence_for_as_long_as_both_speak():
    ear = Ear(PILOT)
    assert ear.hear(0.0, PILOT_C) is PILOT_C
    other = replace(PILOT_C, vehicle_status='A', charge_controller_status='A1')
    assert ear.hear(0.1, other, OTHER) is None
    assert ear.hear(0.2, PILOT_C) is None
    assert ear.voices.contested(0.3)
    assert ear.hear(2.2, PILOT_C) == PILOT_C, 'the other was not heard for 2 s'


def test_pilots_that_agree_on_the_letter_give_the_cautious_figures():
    ear = Ear(PILOT)
    ear.hear(0.0, PILOT_C)
    value = ear.hear(0.1, replace(PILOT_C, signaled_amperage=6.0, cable_amperage=63.0,
                                  temperature=70.0, fault='BoardFault'), OTHER)
    assert (value.signaled_amperage, value.cable_amperage, value.temperature, value.fault) == (
        16.0, 20.0, 70.0, 'BoardFault')


def test_one_pilot_may_change_its_letter():
    ear = Ear(PILOT)
    ear.hear(0.0, PILOT_C)
    plugged_out = replace(PILOT_C, vehicle_status='A', charge_controller_status='A1')
    assert ear.hear(0.1, plugged_out) is plugged_out


# -- the team --------------------------------------------------------------------------------------

def listed(leader, sequence):
    return TeamAllocation('team', leader, 1, sequence, 10.0, (MemberAllocation('a', 1, 6.0),))


def test_two_leaders_are_the_leases_business_two_senders_of_one_leader_an_error():
    ear = Ear(ALLOCATION)
    for sequence in range(5):
        now = float(sequence)
        assert ear.hear(now, listed('a', sequence), '/a/team#1') == listed('a', sequence)
        assert ear.hear(now + 0.3, listed('b', sequence), '/b/team#1') == listed('b', sequence)
    assert ear.voices.contested(4.5) == ()
    ear.hear(5.0, listed('a', 5), '/x/team#7')
    assert ear.voices.contested(5.1) == ()
    ear.hear(5.2, listed('a', 6), '/a/team#1')
    assert set(ear.voices.contested(5.3)) == {'/a/team#1', '/x/team#7'}
