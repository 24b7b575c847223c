"""The time between two moments, across restarts of the process and of the machine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.moment import Moment, elapsed, proven


def at(boot: str, now: float, wall: float, trusted: bool = True) -> Moment:
    return Moment(boot, now, wall, trusted)


@pytest.mark.parametrize(('earlier', 'later', 'expected'), [
    (at('a', 10.0, 1000.0), at('a', 70.0, 5.0), 60.0),             # a step of the wall clock
    (at('a', 10.0, 1000.0, False), at('a', 70.0, 9e9, False), 60.0),
    (at('a', 10.0, 1000.0), at('b', 1.0, 1060.0), 60.0),           # another start of the machine
    (at('a', 10.0, 1000.0, False), at('b', 1.0, 1060.0), math.nan),
    (at('a', 10.0, 1000.0), at('b', 1.0, 1060.0, False), math.nan),
    (at('a', 10.0, 1000.0), at('b', 1.0, 999.0), math.nan),        # backwards
    (at('a', 10.0, 1000.0), at('a', 9.0, 1001.0), math.nan),
    (at('', 10.0, 1000.0), at('', 70.0, 1005.0), 5.0),             # no identity: the wall clock
])
def test_elapsed(earlier: Moment, later: Moment, expected: float) -> None:
    assert elapsed(earlier, later) == pytest.approx(expected, nan_ok=True)


def test_what_is_proven_without_a_clock_to_trust() -> None:
    written, beat = at('a', 10.0, 0.0, False), at('a', 130.0, 0.0, False)
    later = at('b', 5.0, 9e9)
    assert proven(written, None, later) == (0.0, False)
    assert proven(written, beat, later) == (120.0, False)
    assert proven(written, at('a', 130.0, 1000.0), at('b', 5.0, 1060.0)) == (180.0, True)
    # a beat of which it is not known that it came after says nothing
    assert proven(written, at('z', 1.0, 0.0), later) == (0.0, False)
    assert proven(written, at('a', 9.0, 8e9), later) == (0.0, False)


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1e5), st.booleans(), st.booleans(),
       st.booleans(), st.booleans(), st.floats(-1e5, 1e5), st.booleans())
def test_never_more_than_has_passed_unless_a_trusted_clock_lies(
        start: float, to_beat: float, to_end: float, same_boot: bool, trusted_then: bool,
        trusted_beat: bool, trusted_now: bool, error: float, has_beat: bool) -> None:
    """Whoever is not trusted may be wrong by any amount; the others tell the truth."""
    truth = 1e9 + start

    def moment(passed: float, boot: str, trusted: bool) -> Moment:
        now = start + passed if boot == 'a' else passed
        return at(boot, now, truth + passed + (0.0 if trusted else error), trusted)

    written = moment(0.0, 'a', trusted_then)
    beat = moment(to_beat, 'a', trusted_beat) if has_beat else None
    later = moment(to_beat + to_end, 'a' if same_boot else 'b', trusted_now)
    passed, whole = proven(written, beat, later)
    assert 0.0 <= passed <= to_beat + to_end + 1e-3
    if whole:
        assert passed == pytest.approx(to_beat + to_end, abs=1e-3)
