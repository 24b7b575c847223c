"""A simulated OpenEVSE or Phoenix Contact board on a fake clock, spoken to through its protocol."""

from __future__ import annotations

import random
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.eeprom import Eeprom
from charger_control.sim.boards.openevse import OpenEvse
from charger_control.sim.boards.phoenix import ETHERNET_FACTORY, SERIAL_FACTORY, PhoenixSerial
from charger_control.sim.lines.device_tables import device_table
from charger_control.sim.lines.faults import Faults
from charger_control.sim.lines.modbus_rtu import answer
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import Plant, PlantParameters


class World:
    """A plant with an ideal vehicle, and a board on it."""

    def __init__(self, kind: Any) -> None:
        self.now = 100.0
        self.plant = Plant(PlantParameters(), now=self.now)
        self.faults = Faults(random.Random(1), lambda at, name, active: None)
        log = BoardLog()
        if kind is OpenEvse:
            self.board: Any = OpenEvse(self.plant, log, self.faults, now=self.now)
        else:
            serial = kind is PhoenixSerial
            self.board = kind(
                self.plant, device_table('phoenix_ev_ser' if serial else 'phoenix_em_eth'), log,
                Eeprom(SERIAL_FACTORY if serial else ETHERNET_FACTORY), now=self.now)
        self.plant.plug_in(Ev(vehicle_of('ideal'), self.now), self.now, 32)

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            self.plant.step(self.now)
            self.board.step(self.now)

    def say(self, text: str) -> list[str]:
        """What it answers; what it says by itself meanwhile ($AT) is left out."""
        self.board.step_line(self.now)
        self.board.feed(self.now, text.encode('ascii'))
        lines = self.board.step_line(self.now).decode('ascii').split('\r')[:-1]
        return [line for line in lines if not line.startswith('$A')]

    def ask(self, request: str) -> str:
        return answer(self.board, bytes.fromhex(request), self.now).hex(' ')
