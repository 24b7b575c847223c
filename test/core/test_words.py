"""words: who decides and why, by state and owner; no sentence names an owner that does not decide.

The golden table is docs/words.md: tools/words_table.py drives a controller into each of its rows.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charger_control.core.cppwm_controller.vehicle import forbidden_by
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import FAULT_REASON, Decision, Flags
from charger_control.core.words import FAULTS, OWNERS, fault_sentence, sentence, silence_sentence

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import words_table  # noqa: E402

TABLE = (ROOT / 'docs' / 'words.md').read_text()
ROWS = re.findall(r'^\| (?!who |what is|fault |---)(.+?) \| (.+) \|$', TABLE, re.MULTILINE)
NO_OWNER = Flags.SOURCE_UNHEARD | Flags.PILOT_SILENT | Flags.FAULT | Flags.VEHICLE_UNKNOWN
CAMEL_CASE = re.compile(r"'((?:[A-Z][a-z0-9]+){2,})'")
NO_FAULTS = {'EvDisconnect', 'ControlPilot', 'PilotReading'}
"""Names in the code that are no fault in force: one is only ever the recent one, two are types."""


def names_an_owner(said: str) -> bool:
    return any(owner.lower() in said.lower() for owner in OWNERS.values())


# -- the table -------------------------------------------------------------------------------------

def test_the_table_of_state_and_owner_is_what_the_controller_comes_to() -> None:
    assert words_table.document() == TABLE, 'run: python tools/generate.py'


def test_it_has_every_state_with_every_owner_that_can_decide_there() -> None:
    sections = dict(re.findall(r'^## (.+?)\n(.+?)(?=^## |\Z)', TABLE, re.MULTILINE | re.DOTALL))
    assert len(ROWS) == sum(len(owners) for _, owners, _ in words_table.STATES) + 14 + 12
    for state, owners, _ in words_table.STATES:
        for owner in owners:
            row = next(said for name, said in re.findall(r'\| (.+?) \| (.+) \|', sections[state])
                       if name == words_table.NAMES[owner])
            name = OWNERS[owner] if owner != 'meter' else 'the meter is silent'
            assert name in row.lower(), row
            assert sum(other in row.lower() for other in OWNERS.values()) <= 1, row


@pytest.mark.parametrize(('name', 'said'), ROWS)
def test_each_is_a_sentence(name: str, said: str) -> None:
    assert said[0].isupper() and said[-1] == '.', said
    assert not re.search(r'\bnan\b|\binf\b|\s\s|\.\.|::|: ,|, ,|None|\bAPI:|by : ', said), said


# -- what cannot be --------------------------------------------------------------------------------

@given(flags=st.integers(0, 2 * max(Flags) - 1), source=st.sampled_from(['', 'x', *OWNERS]),
       phase_source=st.sampled_from(['', *OWNERS]), phases=st.sampled_from([0, 1, 3]),
       amperages=st.tuples(*[st.sampled_from([0.0, 5.0, 6.0, 16.0])] * 4),
       letter=st.sampled_from('ABCDEFSR'), signaled=st.sampled_from([0.0, 16.0]))
def test_no_owner_is_named_where_no_limit_decides(
        flags: int, source: str, phase_source: str, phases: int, amperages: tuple[float, ...],
        letter: str, signaled: float) -> None:
    requested, allocated, commanded, effective = amperages
    decision = Decision(requested, allocated, commanded, phases=phases, limit_source=source,
                        phase_source=phase_source, reason='some reason', flags=flags,
                        effective_amperage_limit=effective)
    said = sentence(decision, ControlPilot(letter, f'{letter}1', signaled))
    if flags & NO_OWNER:
        assert not names_an_owner(said)
    elif flags & (Flags.NO_VEHICLE | Flags.HOLD) and names_an_owner(said):
        assert ' would allow ' in said and ' allows ' not in said
    assert 'decides' not in said
    if flags & Flags.NO_VEHICLE and not flags & NO_OWNER:
        assert 'No vehicle is connected' in said and 'some reason' not in said


@pytest.mark.parametrize(('letter', 'fault', 'flag', 'reason'), [
    ('A', '', Flags.NO_VEHICLE, 'no vehicle connected'), ('B', '', Flags(0), ''),
    ('C', '', Flags(0), ''), ('D', '', Flags(0), ''),
    ('S', '', Flags.VEHICLE_UNKNOWN, 'it is not known whether a vehicle is connected'),
    ('E', 'CpShortCircuit', Flags.FAULT, f'{FAULT_REASON}CpShortCircuit'),
    ('A', 'BoardFault', Flags.FAULT, f'{FAULT_REASON}BoardFault')])
def test_what_the_pilot_forbids_is_one_thing(letter: str, fault: str, flag: Flags, reason: str
                                             ) -> None:
    assert forbidden_by(ControlPilot(letter, f'{letter}1', 0.0, fault=fault)) == (flag, reason)
    assert forbidden_by(None)[0] is Flags.PILOT_SILENT


def test_a_sentence_is_of_the_decision_whatever_the_pilot_has_said_since() -> None:
    gone = words_table.Point().run(6.0).decision
    assert sentence(gone, ControlPilot('B', 'B1', 0.0)).startswith('No vehicle is connected')
    faulty = words_table.plugged('C', 20.0).then(1.0, fault='CpShortCircuit').decision
    assert 'CpShortCircuit' in sentence(faulty, ControlPilot('C', 'C1', 0.0))
    assert 'CpShortCircuit' in sentence(faulty)


# -- faults ----------------------------------------------------------------------------------------

def named_in_the_code() -> set[str]:
    """Every fault that the blocks and the boards can put into ControlPilot.fault."""
    package = ROOT / 'src' / 'charger_control'
    files = [*(package / 'core' / 'iso61851').glob('*.py'),
             *(package / 'drivers' / 'pilots').glob('*.py')]
    return {name for file in files for name in CAMEL_CASE.findall(file.read_text())} - NO_FAULTS


def test_every_fault_has_words_and_what_to_do() -> None:
    named = named_in_the_code()
    assert {'CpShortCircuit', 'NeutralLost', 'BoardFault', 'ContactorWelded'} <= named
    assert named == {name for name in FAULTS if ' ' not in name}
    for name, words in FAULTS.items():
        assert not words.what.endswith('.') and words.to_do.endswith('.')
        said = fault_sentence(name)
        assert name in said and words.what in said and said.endswith(words.to_do)
    assert len({words.what for words in FAULTS.values()}) == len(FAULTS)


def test_a_shorted_pilot_is_said_to_be_one_whatever_its_board_can_tell() -> None:
    tells = fault_sentence('CpShortCircuit', 'E')
    cannot = fault_sentence('BoardFault', 'F')   # EVSE-DIN: 5, failure
    assert tells.startswith('The control pilot is short-circuited')
    assert 'the control pilot is short-circuited, or the board itself has failed' in cannot
    for said in (tells, cannot):
        assert 'Unplug the vehicle and look for water, dirt and bent pins' in said
    assert 'short' not in fault_sentence('BoardFault', 'C')   # e.g. its RCD: not in state F


def test_what_a_fault_was_seen_by_and_one_without_words_are_said() -> None:
    said = fault_sentence('BoardFault', 'C', 'residual current (RCD) error')
    assert '(BoardFault; residual current (RCD) error)' in said
    assert 'What the board says' not in said
    assert 'What the board says' in fault_sentence('BoardFault')
    assert '(NewFault)' in fault_sentence('NewFault')


# -- single sentences ------------------------------------------------------------------------------

def test_a_source_that_is_not_known_is_named_as_it_is() -> None:
    decision = Decision(10.0, 10.0, 10.0, limit_source='mqtt', reason='broker')
    assert sentence(decision) == 'The limit source mqtt allows 10.0 A per phase: broker.'


def test_a_lapsed_word_is_said_in_words() -> None:
    decision = Decision(8.0, 8.0, 8.0, limit_source='smart_charging',
                        reason='smart_charging: lapsed', effective_amperage_limit=8.0)
    assert sentence(decision) == (
        'The charging profile allows 8.0 A per phase: the time of its last word has run out.')


@pytest.mark.parametrize('reason', ['all it asked for', 'asks for nothing'])
def test_an_earlier_answer_of_the_team_is_no_reason(reason: str) -> None:
    decision = Decision(16.0, 8.0, 8.0, limit_source='team', reason=reason)
    assert sentence(decision).endswith(': its answer to what is asked for now is still to come.')


def test_what_fails_besides_is_said_once() -> None:
    decision = Decision(16.0, 16.0, 16.0, limit_source='hw', reason='fuse 16 A', flags=int(
        Flags.SOURCE_SILENT | Flags.SECOND_PUBLISHER))
    assert sentence(decision) == (
        'The installation allows 16.0 A per phase: fuse 16 A. Besides: a limit source is silent; '
        'two programs speak on one topic, and the lower value counts (see the log).')


def test_a_silent_controller_is_named() -> None:
    assert 'cppwm_controller) was not heard for 7 s' in silence_sentence(7.2)
    assert 'was not heard yet' in silence_sentence(float('inf'))
