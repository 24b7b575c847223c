"""`charger probe` finds boards: by unit on a shared line, or alone on a port."""

import pytest
from board_bench import board
from fake_openevse import Board

from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.lines.rapi import SETTINGS
from charger_control.drivers.probe.probe import Found, probe

LINES = (SerialSettings(9600, 'N', 1),)


@pytest.mark.parametrize('driver', ['evse_din', 'phoenix_ev_ser'])
def test_boards_on_a_shared_line(driver, link):
    with board(driver, link) as b:
        b.close()
        found = [news for news in probe(str(link), (), LINES, units=(1, 3))
                 if isinstance(news, Found)]
    assert [(unit.unit, unit.drivers) for unit in found] == [(1, (('pilot', driver),))]


def test_an_openevse_alone_on_its_port_and_nothing_is_written(link):
    with Board(link) as openevse:
        found = [news for news in probe(str(link), (), (*LINES, SETTINGS), units=(1,))
                 if isinstance(news, Found)]
        assert [(unit.drivers, unit.is_head) for unit in found] == [
            ((('pilot', 'openevse'),), False)]
        assert openevse.log == ['GV'] and openevse.mode == 'FE'
