"""Which signed values a session asks for."""

import math

from charger_control.core.messages.session import Transaction
from charger_control.core.session.signed_values import SignedValues


def transaction(session_id, ended=math.nan):
    return Transaction(session_id=session_id, started_time=1.0, ended_time=ended)


def test_each_session_has_one_start_and_one_stop():
    wanted = SignedValues()
    assert wanted.hear(Transaction()) == []
    assert wanted.hear(transaction('a')) == [('start', 'a')]
    assert wanted.hear(transaction('a')) == []
    assert wanted.hear(transaction('a', 5.0)) == [('stop', 'a')]
    assert wanted.hear(transaction('a', 5.0)) == []
    assert wanted.hear(transaction('b')) == [('start', 'b')]


def test_an_end_that_was_not_heard_is_made_up_for_before_the_next_start():
    wanted = SignedValues()
    wanted.hear(transaction('a'))
    assert wanted.hear(transaction('b')) == [('stop', 'a'), ('start', 'b')]


def test_what_ended_before_it_was_heard_of_is_not_signed():
    assert SignedValues().hear(transaction('a', 5.0)) == []


def test_a_restart_goes_on_with_what_is_stored():
    assert SignedValues('a', ['start']).hear(transaction('a')) == []
    assert SignedValues('a', ['start']).hear(transaction('a', 5.0)) == [('stop', 'a')]
    assert SignedValues('a', ['start', 'stop']).hear(transaction('a', 5.0)) == []
    assert SignedValues('a', ()).hear(transaction('a')) == [('start', 'a')]
