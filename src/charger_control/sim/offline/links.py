"""The way to board and meter without a serial line: what driver and line do to time, and no more.

For offline loops. The delays are those of the live graph: a board on a shared 9600 baud line is
asked five times a second, and a write takes its turn (docs/architecture.md, Two kinds of pilot).
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.eeprom import Eeprom
from charger_control.sim.boards.evse_din import FACTORY, BoardParameters, EvseDin
from charger_control.sim.lines.device_tables import device_table
from charger_control.sim.meters.register_device import MeterParameters
from charger_control.sim.plant.plant import Plant

_SET_CURRENT, _COMMAND, _POWER_ON, _CONFIGURATION = 1000, 1004, 2000, 2005
_FINE_BIT = 1 << 7
_DUE = 1e-9
_LOOK = 0.2
"""s between two looks of the board at a pilot on which nothing moves."""
_CAUSES = {'diode': 'CpDiodeShortCircuit', 'ventilation': 'VentilationNotAvailable'}


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """Times of the way to the devices, s.

    Attributes:
        poll: between two questions to the board.
        write: from an offer to the board that has it.
        dead_man: without a call of ``offer`` until "no offer" is written.
        meter_lag: by which a sample of the meter comes late (its own averaging, and the line).
    """

    poll: float = 0.2
    write: float = 0.15
    dead_man: float = 1.0
    meter_lag: float = 0.1


class BoardLink:
    """An EVSE-DIN board on a plant, as its driver would present it.

    Attributes:
        board: the board itself.
        down_until: s until which nothing passes in either direction.
    """

    def __init__(self, plant: Plant, step: float, parameters: LinkParameters, now: float,
                 board: BoardParameters | None = None) -> None:
        """``step``: A, 1 for a board in whole amperes, else one that counts in 0.01 A."""
        fine = step < 1.0
        self._per_ampere = 100 if fine else 1
        factory = FACTORY | {_POWER_ON: 0, _CONFIGURATION: _FINE_BIT if fine else 0}
        self.board = EvseDin(plant, device_table('evse_din'), BoardLog(), Eeprom(factory),
                             now=now, parameters=board)
        self.down_until = -math.inf
        self._plant = plant
        self._parameters = parameters
        self._offer: tuple[float, float] = (0.0, now)   # A, and when it was last said
        self._write_at = math.inf
        self._poll_at = self._look_at = now
        self._open_until = -math.inf
        self._is_off = False
        self._reading: Heard[PilotReading] | None = None

    def offer(self, amperage: float | None, now: float) -> None:
        """What the board shall offer from now on, as interfaces.CurrentPilot.offer."""
        self._offer = (amperage or 0.0, now)

    def open_contactor(self, now: float) -> None:
        """The board is kept off for a second."""
        self._open_until = now + 1.0

    def latest(self) -> Heard[PilotReading] | None:
        """The board's last answer."""
        return self._reading

    def step(self, now: float) -> None:
        """Lets the board act, writes and asks what is due."""
        if (now >= self._look_at - _DUE or self._plant.letter != self.board.letter
                or self.board.relay != self._plant.contactor.closed):
            self.board.step(now)
            self._look_at = now + _LOOK
        if now < self.down_until or not self.board.is_up():
            return
        self._write(now)
        if now >= self._poll_at - _DUE:
            self._poll_at += self._parameters.poll * (
                1 + int((now - self._poll_at + _DUE) / self._parameters.poll))
            self._reading = Heard(self._ask(), now)

    def _write(self, now: float) -> None:
        amperage, said = self._offer
        if now - said > self._parameters.dead_man:
            amperage = 0.0
        off = now < self._open_until
        if off != self._is_off:
            self._is_off = off
            self.board.write(_COMMAND, [int(off)], now)
        raw = math.floor(amperage * self._per_ampere + 1e-6)
        if raw == round(self.board.set_amperage * self._per_ampere):
            self._write_at = math.inf
        elif math.isinf(self._write_at):
            self._write_at = now + self._parameters.write
        if now >= self._write_at - _DUE:
            self._write_at = math.inf
            self.board.write(_SET_CURRENT, [raw], now)

    def _ask(self) -> PilotReading:
        board = self.board
        letter = 'R' if board.failure == 'diode' else board.letter or 'S'
        return PilotReading(letter, board.offered, contactor_commanded=board.relay,
                            error=board.failure, error_cause=_CAUSES.get(board.failure, ''))


class MeterLink:
    """A meter of phase currents on a plant, as its driver would present it.

    Attributes:
        parameters: the meter's behaviour; replace them to change it.
        down_until: s until which nothing is heard of it.
    """

    def __init__(self, plant: Plant, parameters: MeterParameters, lag: float, now: float,
                 seed: int) -> None:
        """``lag``: s by which a sample comes late."""
        self.parameters = parameters
        self.down_until = -math.inf
        self._plant = plant
        self._lag = lag
        self._random = random.Random(seed)
        self._due = now
        self._late: deque[tuple[float, MeterReading]] = deque()
        self._latest: Heard[MeterReading] | None = None

    def latest(self) -> Heard[MeterReading] | None:
        """The meter's last answer."""
        return self._latest

    def step(self, now: float) -> None:
        """Takes a sample when it is time, and hands over those that are late enough."""
        if now >= self._due - _DUE:
            refresh = self.parameters.refresh
            self._due += refresh * (1 + int((now - self._due + _DUE) / refresh))
            self._late.append((now + self._lag, self._sample()))
        while self._late and now >= self._late[0][0] - _DUE:
            _, reading = self._late.popleft()
            if now >= self.down_until:
                self._latest = Heard(reading, now)

    def _sample(self) -> MeterReading:
        plant, parameters = self._plant, self.parameters
        noise, gauss = parameters.amperage_noise, self._random.gauss
        one, two, three = (max(0.0, a + gauss(0.0, noise)) if a else 0.0 for a in plant.amperage)
        register = math.floor(plant.energy_imported / parameters.resolution + 1e-6)
        return MeterReading(plant.voltage, (one, two, three), plant.frequency, plant.power,
                            register * parameters.resolution, str(parameters.serial_number))
