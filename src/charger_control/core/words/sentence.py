"""Who decides what the vehicle gets, what that is, and why: one sentence from one decision."""

from __future__ import annotations

import math

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import FAULT_REASON, Decision, Flags
from charger_control.core.team.shares.allocator import ALL, NOTHING
from charger_control.core.units import MIN_AMPERAGE
from charger_control.core.words.faults import fault_sentence

OWNERS = {
    'hw': 'the installation',
    'smart_charging': 'the charging profile',
    'api': 'a limit set on the page or by another program',
    'team': 'the team of chargers',
    'meter': 'the controller, without current values,',
}
"""Whose limit it is, by limit_source and phase_source of a Decision."""
_NODES = {'hw': 'hw_limit'}
"""Nodes that are not called as their source."""
VEHICLE_STATES = {
    'A': 'no vehicle', 'B': 'vehicle connected', 'C': 'vehicle ready', 'D': 'wants ventilation',
    'E': 'pilot shorted', 'F': 'board fault', 'S': 'unknown', 'R': 'diode fault',
}
"""What vehicle_status is called in a table."""
_NO_LIMIT = (Flags.SOURCE_UNHEARD | Flags.PILOT_SILENT | Flags.FAULT | Flags.VEHICLE_UNKNOWN
             | Flags.NO_VEHICLE | Flags.HOLD)
"""Conditions that decide whatever the limits are."""
_NOTES = {
    Flags.SOURCE_SILENT: 'a limit source is silent',
    Flags.TEAM_SILENT: 'the team does not answer',
    Flags.SECOND_PUBLISHER: 'two programs speak on one topic, and the lower value counts',
    Flags.REFUSED_INPUT: 'a value that cannot be was refused',
}
"""Inputs that fail, whoever decides."""


def sentence(decision: Decision, pilot: ControlPilot | None = None) -> str:
    """The sentence for a person; what fails besides is named in a second one.

    An owner is only named where its limit counts: who decides follows from the flags first.

    Args:
        decision: of the controller.
        pilot: the control pilot, None while it is not heard.
    """
    flags = Flags(decision.flags)
    if flags & Flags.SOURCE_UNHEARD:
        said = (f'Nothing is offered yet: {decision.reason}. If this lasts, look for what is named '
                'in the log.')
    elif flags & Flags.PILOT_SILENT:
        said = ('The board of the charger does not answer, so nothing is offered. Look at its '
                'supply and its cable; the log of iso61851 says what fails.')
    elif flags & Flags.FAULT:
        said = fault_sentence(decision.reason.removeprefix(FAULT_REASON),
                              '' if pilot is None else pilot.vehicle_status)
    elif flags & Flags.VEHICLE_UNKNOWN:
        said = 'Nothing is offered: the board does not tell yet whether a vehicle is connected.'
    elif flags & Flags.NO_VEHICLE:
        said = f'No vehicle is connected{_would(decision, decision.effective_amperage_limit)}.'
    elif flags & Flags.HOLD:
        allowed = min(decision.requested_amperage, decision.allocated_amperage)
        said = f'Nothing is offered yet: {_plain(decision.reason)}{_would(decision, allowed)}.'
    elif not decision.limit_source:
        said = f'Nothing is offered: {decision.reason}. The log says more.'
    elif decision.limit_source == 'meter':
        said = _without_meter(decision)
    else:
        said = _limited(decision)
    if decision.commanded_amperage > 0.0 and pilot is not None:
        said = _vehicle(pilot) + said
    return said + _besides(decision, flags)


def silence_sentence(silence: float) -> str:
    """The sentence while the controller is silent.

    Args:
        silence: s since it was heard; infinite if never.
    """
    since = f'for {silence:.0f} s' if math.isfinite(silence) else 'yet'
    return (f'The controller (node cppwm_controller) was not heard {since}; without it the pilot '
            'offers nothing. Look whether it runs: the log says why not.')


def owner_of(decision: Decision) -> str:
    """The source whose limit decides what is commanded; '' where no limit does."""
    return '' if decision.flags & _NO_LIMIT else decision.limit_source


# -- parts -----------------------------------------------------------------------------------------
def _owner(source: str) -> str:
    return OWNERS.get(source, f'the limit source {source}')


def _amount(decision: Decision, amperage: float) -> str:
    return f'{amperage:.1f} A {"on one phase" if decision.phases == 1 else "per phase"}'


def _would(decision: Decision, amperage: float) -> str:
    """What would be allowed, and by whom; '' where that is nobody's limit."""
    if not decision.limit_source:
        return ''
    much = _amount(decision, amperage) if amperage >= MIN_AMPERAGE else 'no current'
    return f'; {_owner(decision.limit_source)} would allow {much}'


def _limited(decision: Decision) -> str:
    """A limit counts."""
    limit = (decision.allocated_amperage if decision.limit_source == 'team'
             else decision.effective_amperage_limit)
    if decision.commanded_amperage > 0.0:
        much = _amount(decision, decision.commanded_amperage)
    elif 0.0 < limit < MIN_AMPERAGE:
        much = (f'{_amount(decision, limit)}, less than the {MIN_AMPERAGE:g} A that a vehicle '
                'needs')
    else:
        much = 'no current'
    asks = ''
    if decision.phases == 1 and decision.phase_source not in ('', 'hw', decision.limit_source):
        asks = f'; {_owner(decision.phase_source)} asks for one phase'
    return _capital(f'{_owner(decision.limit_source)} allows {much}: {_why(decision)}{asks}.')


def _why(decision: Decision) -> str:
    """Why its owner allows no more."""
    source, reason = decision.limit_source, decision.reason
    if _decides_in_silence(decision):
        node = _NODES.get(source, source)
        return f'node {node} is silent, look whether it runs'
    if reason == f'{source}: lapsed':
        return 'the time of its last word has run out'
    if source == 'team' and Flags.TEAM_SILENT & decision.flags:
        return f'{_plain(reason)}; look whether its leader runs, and the network to it'
    if source == 'team' and reason in (ALL, NOTHING):
        return 'its answer to what is asked for now is still to come'
    return reason.removeprefix('API: ') if source == 'api' else _plain(reason)


def _decides_in_silence(decision: Decision) -> bool:
    """Whether the owner is a source that is not heard any more."""
    return decision.reason == f'{decision.limit_source} is silent'


def _without_meter(decision: Decision) -> str:
    """The meter says nothing that can be used."""
    why, _, _ = decision.reason.rpartition(': at most ')
    allowed = 'no current is' if Flags.METER_GONE & decision.flags else (
        f'at most {_amount(decision, decision.requested_amperage)} is')
    return (f'{_capital(why or decision.reason)}; so {allowed} allowed. Look at the meter, its '
            'cable and the parameters of fiscal_meter.')


def _vehicle(pilot: ControlPilot) -> str:
    """Where the vehicle itself decides, or the board has not followed yet."""
    if pilot.signaled_amperage <= 0.0:
        return 'The board has not made its offer yet. '
    if pilot.vehicle_status != 'B':
        return ''
    return ('The vehicle takes nothing of what it is offered: it is full, waits by itself, or has '
            'not begun. ')


def _besides(decision: Decision, flags: Flags) -> str:
    """What fails though it does not decide."""
    said = Flags(0)   # already, as it decides
    if _decides_in_silence(decision):
        said |= Flags.SOURCE_SILENT
    if decision.limit_source == 'team':
        said |= Flags.TEAM_SILENT
    if decision.limit_source == 'meter':
        said |= Flags.REFUSED_INPUT
    failing = [words for flag, words in _NOTES.items() if flags & flag & ~said]
    return f' Besides: {"; ".join(failing)} (see the log).' if failing else ''


def _plain(why: str) -> str:
    """A reason as the second half of a sentence, after a colon."""
    return why.replace(': ', ', ', 1)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
