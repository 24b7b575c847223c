import pytest

from charger_control.sim.plant.contactor import Contactor, ContactorParameters

TIMES = ContactorParameters(close_time=0.03, open_time=0.02, feedback_delay=0.08)


def moved(contactor: Contactor, until: float) -> list[tuple[float, bool, bool]]:
    """(time, closed, feedback) at each of its own changes."""
    seen = []
    while (at := contactor.next_change()) <= until:
        contactor.step(at)
        seen.append((round(at, 6), contactor.closed, contactor.feedback))
    return seen


def test_contacts_and_feedback_take_their_time() -> None:
    contactor = Contactor(TIMES)
    contactor.command(True, 1.0)
    assert moved(contactor, 2.0) == [(1.03, True, False), (1.11, True, True)]
    contactor.command(False, 2.0)
    assert moved(contactor, 3.0) == [(2.02, False, True), (2.1, False, False)]


def test_repeating_a_command_restarts_nothing() -> None:
    contactor = Contactor(TIMES)
    contactor.command(True, 1.0)
    contactor.command(True, 1.02)
    assert contactor.next_change() == pytest.approx(1.03)


def test_command_taken_back_before_it_moved() -> None:
    contactor = Contactor(TIMES)
    contactor.command(True, 1.0)
    contactor.command(False, 1.01)
    assert moved(contactor, 2.0) == [(1.03, False, False)]


def test_welded_contacts_stay_and_feedback_says_so() -> None:
    contactor = Contactor(TIMES)
    contactor.weld(True, 0.0)
    assert not contactor.closed             # it welds only once it closes
    contactor.command(True, 1.0)
    moved(contactor, 2.0)
    contactor.command(False, 2.0)
    moved(contactor, 3.0)
    assert (contactor.closed, contactor.feedback, contactor.commanded) == (True, True, False)
    contactor.weld(False, 4.0)
    assert moved(contactor, 5.0) == [(4.0, False, True), (4.08, False, False)]
