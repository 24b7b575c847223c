"""What a fault of the control pilot means to the owner of a charger, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from charger_control.core.iso61851.current_pilot import NOT_AS_CONFIGURED
from charger_control.core.iso61851.faults import (
    BOARD,
    CP_SHORT,
    DIODE,
    NOT_STOPPING,
    OVER_CURRENT,
    UNREADABLE,
    VENTILATION,
    WELDED,
)
from charger_control.core.iso61851.neutral import NEUTRAL_LOST


class FaultWords(NamedTuple):
    """What is wrong, as the first half of a sentence; and whole sentences of what to do."""

    what: str
    to_do: str


_AGAIN = ('It is tried again after a pause, at most three times in one plug-in; then unplug the '
          'vehicle and plug it in again.')
_BOARD_SAYS = 'What the board says of it stands in the log and the diagnostics of iso61851.'

FAULTS = {
    CP_SHORT: FaultWords(
        'The control pilot is short-circuited',
        'Unplug the vehicle and look for water, dirt and bent pins in plug and inlet. If it stays '
        'with nothing plugged in, have cable and charger looked at.'),
    DIODE: FaultWords(
        "The diode of the vehicle's control pilot is not found",
        'Unplug the vehicle and try another cable or vehicle: if that one charges, have the first '
        'one looked at.'),
    VENTILATION: FaultWords(
        'The vehicle asks for a ventilated room, which this charge point is not set up for',
        'It cannot be charged here. Where the room is ventilated set iso61851.ventilation to true '
        '(and allow it at the board).'),
    NOT_STOPPING: FaultWords(
        'The vehicle went on drawing current after it was told to stop, and was cut off',
        f'{_AGAIN} If it comes back, have the vehicle looked at.'),
    OVER_CURRENT: FaultWords(
        'The vehicle drew more current than it was offered, and was cut off',
        f'{_AGAIN} If it comes back, compare the currents of the meter with another one, and have '
        'the vehicle looked at.'),
    WELDED: FaultWords(
        'The contactor did not open when it had to: its contacts may be welded, and the plug may '
        'be live',
        'Switch off the supply of this charger and have an electrician look at it. Once it is '
        'mended, run "charger reset-fault".'),
    UNREADABLE: FaultWords(
        'It cannot be read from the store whether a fault was latched before the last start',
        'Make the store readable: it is read again by itself. Or look whether the contactor opens, '
        'and run "charger reset-fault".'),
    NEUTRAL_LOST: FaultWords(
        'The voltages of the phases drift apart: the neutral conductor of the supply may be lost',
        'This endangers all that is connected to this supply: switch it off and have an '
        'electrician look at it at once.'),
    BOARD: FaultWords(
        'The board of the charger reports a failure',
        f'{_BOARD_SAYS} Unplug the vehicle; if the failure stays, test the residual-current '
        'device, switch the supply of the board off and on, and have it looked at.'),
    NOT_AS_CONFIGURED: FaultWords(
        'The board of the charger is not what its configuration says',
        f'{_BOARD_SAYS} Set the board, or the parameters iso61851.device, accordingly.'),
}
"""By the name in ControlPilot.fault."""
_FAILURE = FaultWords(
    'The board of the charger reports a failure (state F): the control pilot is short-circuited, '
    'or the board itself has failed',
    f'{FAULTS[CP_SHORT].to_do} {_BOARD_SAYS}')
"""Of a board whose state F does not tell (EVSE-DIN: register 1002 is 5 for all failures)."""


def fault_sentence(name: str, vehicle_status: str = '', detail: str = '') -> str:
    """What is wrong, and what to do.

    Args:
        name: in ControlPilot.fault, not ''; one that is not known is said as it is.
        vehicle_status: of the same ControlPilot; '' where it is not known.
        detail: what the fault was seen by, '' for nothing.
    """
    words = FAULTS.get(name, FaultWords(
        'The board of the charger reports a fault that has no words here',
        f'{_BOARD_SAYS} Unplug the vehicle; if the fault stays, have the charger looked at.'))
    if name == BOARD and vehicle_status == 'F':
        words = _FAILURE
    if detail:
        words, name = words._replace(to_do=words.to_do.replace(_BOARD_SAYS, '').strip()), (
            f'{name}; {detail}')
    return f'{words.what} ({name}), so nothing is offered. {words.to_do}'
