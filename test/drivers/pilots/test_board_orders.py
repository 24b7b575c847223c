"""What a board orders its contactor is no feedback of it: a welded one does not follow."""

import pytest
from board_cases import TOLD
from board_on_clock import BoardOnClock

from charger_control.core.cppwm_controller.drawable import Drawable


def welded(driver, vehicle):
    """A contactor that welds while ``vehicle`` charges; then the offer ends."""
    b = BoardOnClock(driver).start().run(4.0)
    b.metered = True
    b.do('plug_in', vehicle=vehicle, cable=32)
    b.amperage = TOLD
    b.run(10.0)
    b.do('weld')
    b.amperage = None
    return b.run(20.0)


@pytest.mark.parametrize('driver', ['evse_din', 'phoenix_em_eth', 'openevse'])
def test_what_flows_through_a_welded_contactor_is_not_given_away(driver):
    """0 A were reserved for the 9.5 A that flow, with EVSE-DIN and EM-CP-PP-ETH, before."""
    b = welded(driver, {'ignores_pwm_off': True, 'start_delay': 1.0})
    plant = b.point.plant
    assert plant.contactor.closed and not b.point.board.relay
    assert (drawn := max(plant.amperage)) > 9.0
    assert b.published.contactor_feedback is None and b.published.contactor_commanded is False
    drawable = Drawable(6.0).step(b.clock.now, b.published, plant.amperage, 32.0)
    assert drawable == drawn and b.faults[-1] == 'ContactorWelded'


@pytest.mark.parametrize('driver', ['evse_din', 'phoenix_em_eth'])
def test_an_order_that_stays_on_is_a_vehicle_that_does_not_stop(driver):
    """Without a meter: the order tells that the board still waits for it."""
    b = BoardOnClock(driver, board={'stop_time': 3600.0}).start().run(4.0)
    b.do('plug_in', vehicle={'keeps_s2': True, 'start_delay': 1.0}, cable=32)
    b.amperage = TOLD
    b.run(10.0)
    b.amperage = None
    b.run(10.0)
    assert b.faults[-1] == 'EvNotStopping' and not b.point.plant.contactor.closed
