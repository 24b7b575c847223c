"""limit_source.py: what a source means now: valid, lapsed, silent, or unheard."""

import math

import pytest

from charger_control.core.cppwm_controller.limit_source import (
    LimitSource,
    Opinion,
    fewest_phases,
    lowest,
)
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit

NAN, INF = math.nan, math.inf


def source(*words, mandatory=False):
    it = LimitSource('api', mandatory=mandatory)
    for at, limit in words:
        it.hear(Heard(limit, at))
    return it


def test_a_source_that_never_spoke_is_unheard():
    opinion = LimitSource('api').opinion(0.0)
    assert opinion.unheard
    assert math.isnan(opinion.amperage)


def test_a_refused_word_is_silence():
    it = LimitSource('api')
    assert not it.hear(Heard(AmperageLimit(-1.0), 0.0))
    assert it.refused == 1
    assert it.opinion(0.0).unheard
    it.hear(Heard(AmperageLimit(16.0), 1.0))
    it.hear(Heard(AmperageLimit(INF), 8.0))
    assert it.opinion(8.0).silent, 'the refused word renews nothing'
    assert it.opinion(8.0).amperage == 16.0


def test_no_opinion_counts_as_heard():
    opinion = source((0.0, AmperageLimit(NAN))).opinion(0.0)
    assert not opinion.unheard
    assert math.isnan(opinion.amperage)


def test_silent_after_5_s():
    it = source((10.0, AmperageLimit(16.0)))
    assert not it.opinion(15.0).silent
    assert it.opinion(15.001).silent


def test_a_silent_source_goes_on_to_its_own_expiry_then_lost_amperage():
    it = source((0.0, AmperageLimit(10.0, valid_for=300.0, lost_amperage=6.0, reason='night')))
    assert (it.opinion(300.0).amperage, it.opinion(300.0).reason) == (10.0, 'night')
    assert (it.opinion(300.1).amperage, it.opinion(300.1).reason) == (6.0, 'api is silent')


def test_a_lapsed_value_of_a_living_source_is_given_back():
    it = source((0.0, AmperageLimit(10.0, 1, valid_for=1.0)))
    lapsed = it.opinion(1.5)
    assert math.isnan(lapsed.amperage)
    assert (lapsed.reason, lapsed.phases) == ('api: lapsed', 0)


@pytest.mark.parametrize('said', [
    AmperageLimit(16.0), AmperageLimit(16.0, valid_for=INF, lost_amperage=16.0),
    AmperageLimit(16.0, lost_amperage=NAN)])
def test_hw_is_0_after_5_s_of_silence_whatever_it_said(said):
    it = source((0.0, said), mandatory=True)
    assert it.opinion(5.0).amperage == 16.0
    assert it.opinion(5.001).amperage == 0.0


def test_hw_must_have_an_opinion():
    it = source((0.0, AmperageLimit(16.0)), mandatory=True)
    assert not it.hear(Heard(AmperageLimit(NAN), 4.0))
    assert it.opinion(4.5).amperage == 16.0
    assert it.opinion(5.5).amperage == 0.0


# -- all sources -----------------------------------------------------------------------------------

@pytest.mark.parametrize('order', [(16.0, NAN, 10.0), (NAN, 16.0, 10.0), (10.0, NAN, 16.0)])
def test_nan_never_wins_or_loses(order):
    opinions = {name: Opinion(a) for name, a in zip(('a', 'b', 'c'), order, strict=True)}
    assert lowest(opinions)[0] == 10.0


def test_without_any_opinion_nothing_is_allowed():
    assert lowest({'hw': Opinion(NAN), 'api': Opinion(NAN)}) == (0.0, '')
    assert lowest({}) == (0.0, '')


def test_equal_limits_name_one_source_whatever_the_order():
    assert lowest({'hw': Opinion(16.0), 'api': Opinion(16.0)}) == (16.0, 'api')
    assert lowest({'api': Opinion(16.0), 'hw': Opinion(16.0)}) == (16.0, 'api')


def test_fewest_phases():
    def fewest(opinions):
        return fewest_phases(opinions, switches=True)

    assert fewest({'a': Opinion(NAN), 'b': Opinion(16.0, 3)}) == (3, 'b')
    assert fewest({'a': Opinion(NAN, 1), 'b': Opinion(16.0, 3)}) == (1, 'a')
    assert fewest({'a': Opinion(16.0)}) == (0, '')


def test_where_nothing_switches_only_what_is_wired_counts():
    """One phase was claimed, and three carried 15.2 A."""
    wishes = {'hw': Opinion(16.0), 'api': Opinion(NAN, 1), 'smart_charging': Opinion(16.0, 3)}
    assert fewest_phases(wishes, switches=False) == (0, '')
    assert fewest_phases(wishes | {'hw': Opinion(16.0, 1)}, switches=False) == (1, 'hw')
