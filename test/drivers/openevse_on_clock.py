"""A simulated OpenEVSE with its driver on a fake clock, in the situations that tests begin with."""

from itertools import pairwise

from board_cases import TOLD
from board_on_clock import BoardOnClock

from charger_control.sim.boards.pilot_board import OFF


def charging(**options):
    b = BoardOnClock('openevse', **options).start().run(4.0)
    b.do('plug_in', vehicle='ideal', cable=32)
    b.amperage = TOLD
    b.run(10.0)
    assert b.offered == TOLD and b.point.board.relay, (b.sample, b.point.board.truth())
    return b


def waiting(vehicle, **options):
    """A vehicle that sleeps has just been offered TOLD."""
    b = BoardOnClock('openevse', **options).start().run(4.0)
    b.do('plug_in', vehicle=vehicle, cable=32)
    b.amperage = TOLD
    return b.run(2.0)


def pulses(b, since=0.0):
    """s of each time that the board showed state F, in its own log, and was offering again."""
    return [round(after['t'] - at['t'], 1) for at, after in pairwise(b.events('offer'))
            if at['t'] >= since and at['evse_state'] == OFF]


def asked(b, since, *commands):
    return [command for at, command in b.line.asked if at >= since and command in commands]


def closings(b, since):
    return sum(event['closed'] for event in b.events('relay') if event['t'] > since)


def leaks(board):
    board.leaks = True


def no_ground(board):
    board.grounded = False


def is_hot(board):
    board.temperature = 72.0


def sound(board):
    board.leaks, board.grounded, board.temperature = False, True, 25.0
