"""What a charging session's state is called, and who owns the limit in force (web-api.md).

The states are those of OCPP 2.0.1's ChargingStateEnumType, and of OCPP 1.6 for what that lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision, Flags
from charger_control.core.messages.session import Transaction

CONNECTED = frozenset('BCD')
SOURCE_NAMES = {'smart_charging': 'OCPP Profile', 'api': 'API', 'transaction': 'Transaction',
                'mqtt': 'MQTT', 'team': 'Team'}
"""allocationSourceName by limit_source of a Decision; the rest is Unmanaged."""
UNMANAGED = 'Unmanaged'
CABLE_TOLERANCE = 0.01
"""A by which a limit may differ from the cable's rating and still be the cable's."""


@dataclass(frozen=True, slots=True)
class Course:
    """How far a session has come.

    Attributes:
        plugged_for: s since the vehicle was plugged in.
        offered_for: s since current was first offered in this session; negative: not yet.
        charged: the vehicle has been ready to charge in this session.
        running: there is a session.
        gone: its vehicle is gone, or seems to be.
    """

    plugged_for: float
    offered_for: float
    charged: bool
    running: bool = True
    gone: bool = False


def connected(pilot: ControlPilot) -> bool | None:
    """Whether a vehicle is plugged in; None: this state of the pilot does not tell."""
    if pilot.vehicle_status in CONNECTED:
        return True
    return False if pilot.vehicle_status == 'A' else None


def offers(pilot: ControlPilot) -> bool:
    """Whether current is offered now."""
    return pilot.signaled_amperage > 0.0


def state_of(pilot: ControlPilot, decision: Decision | None, course: Course, *,
             start_time: float, settle_time: float) -> str:
    """The state of a session that a control pilot which is heard stands for.

    Args:
        pilot: as heard.
        decision: what is commanded; None while it is not heard.
        course: of the session.
        start_time: s that a vehicle may take to begin; longer, and it is the vehicle that waits.
        settle_time: s after plug-in in which the decision is still about an empty socket.
    """
    if pilot.fault or pilot.vehicle_status in {'E', 'R'}:
        return 'Faulted'
    if pilot.vehicle_status == 'A':
        return 'Idle'
    if pilot.vehicle_status not in CONNECTED:
        return 'Unavailable'
    if offers(pilot):
        if pilot.vehicle_status != 'B':
            return 'Charging'
        waits = course.charged or course.offered_for >= start_time
        return 'SuspendedEV' if waits else 'EVConnected'
    withheld = (decision is not None and decision.commanded_amperage <= 0.0
                and not decision.flags & Flags.HOLD and course.plugged_for >= settle_time)
    return 'SuspendedEVSE' if course.offered_for >= 0.0 or withheld else 'EVConnected'


def source_name(decision: Decision | None, pilot: ControlPilot | None) -> str:
    """allocationSourceName: who owns the limit in force."""
    if decision is None:
        return UNMANAGED
    if decision.limit_source == 'hw':
        cable = pilot is not None and (decision.effective_amperage_limit
                                       >= pilot.cable_amperage - CABLE_TOLERANCE)
        return 'ProximityPilot' if cable else UNMANAGED
    return SOURCE_NAMES.get(decision.limit_source, UNMANAGED)


def with_sources(transaction: Transaction, decision: Decision | None, pilot: ControlPilot | None
                 ) -> Transaction:
    """The transaction with the owners of the limits in force."""
    return replace(
        transaction, allocation_source_name=source_name(decision, pilot),
        one_phase_limit_active=decision is not None and decision.phases == 1,
        phase_limit_source_name='' if decision is None else SOURCE_NAMES.get(
            decision.phase_source, decision.phase_source))


def with_pilot(transaction: Transaction, pilot: ControlPilot, decision: Decision | None,
               course: Course, *, start_time: float, settle_time: float) -> Transaction:
    """The transaction with what a pilot that is heard says; see ``state_of``."""
    state = state_of(pilot, decision, course, start_time=start_time, settle_time=settle_time)
    cause = transaction.recent_error_cause
    if course.running:
        cause = pilot.recent_error_cause or pilot.fault or cause
    return replace(
        transaction, state='Finishing' if state == 'Idle' and course.gone else state,
        vehicle_status=pilot.vehicle_status, recent_error_cause=cause,
        charge_controller_status=pilot.charge_controller_status)


def without_pilot(transaction: Transaction, *, spoke: bool, late: bool) -> Transaction:
    """The transaction while the control pilot is silent.

    Args:
        transaction: as it was.
        spoke: the pilot has been heard before.
        late: the pilot should have been heard by now; clients see F, an error.
    """
    letter = 'F' if late else 'S'
    return replace(transaction, state='Faulted' if spoke else 'Unavailable',
                   vehicle_status=letter, charge_controller_status=f'{letter}1')
