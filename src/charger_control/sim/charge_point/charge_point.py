"""The whole simulated charge point without its cables: plant, board, meter, line. Explicit time."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charger_control.sim.boards.board_log import BoardLog
from charger_control.sim.boards.eeprom import Eeprom
from charger_control.sim.boards.evse_din import FACTORY, BoardParameters, EvseDin
from charger_control.sim.boards.openevse import OpenEvse, OpenEvseLine
from charger_control.sim.boards.phoenix import (
    ETHERNET_FACTORY,
    SERIAL_FACTORY,
    PhoenixEthernet,
    PhoenixSerial,
)
from charger_control.sim.charge_point.actions import SET_UP_REGISTERS, fault_end
from charger_control.sim.charge_point.scenario import Scenario
from charger_control.sim.lines.device_tables import device_table
from charger_control.sim.lines.faults import KINDS, Fault, Faults
from charger_control.sim.lines.modbus_tcp import TcpLine
from charger_control.sim.lines.rtu_line import BusDevice, RtuLine
from charger_control.sim.meters.register_device import RegisterMeter
from charger_control.sim.meters.sdm630 import MeterParameters, Sdm630
from charger_control.sim.meters.signing_meter import SIGNING_METERS
from charger_control.sim.plant.ev import Ev
from charger_control.sim.plant.ev_parameters import vehicle_of
from charger_control.sim.plant.plant import MAX_STEP, Plant, PlantParameters

_MOST_PIECES = 1200
METER_UNIT = 2
"""Unit id of the simulated meter unless told otherwise; the board is 1 as delivered."""
METER_KINDS: dict[str, type[RegisterMeter]] = {'sdm630': Sdm630, **SIGNING_METERS}
METERS = ('sdm630', 'sdm72', 'sdm120', 'sdm230', 'em24', 'em340', 'b23', 'wm3m4', 'bsm_ws36a')
"""Meters that can be simulated, by their driver's name: those whose table has a second source."""
BOARDS = ('evse_din', 'openevse', 'phoenix_ev_ser', 'phoenix_em_eth')
"""Boards that can be simulated, by their driver's name. The meter shares the line of the first and
the third; an OpenEVSE has a line, the last a network of its own."""
Board = EvseDin | OpenEvse | PhoenixSerial | PhoenixEthernet


@dataclass(frozen=True, slots=True)
class ChargePointParameters:
    """How the simulated charge point is built.

    Attributes:
        scenario: what it begins with; its steps are played by the simulator.
        seed: of everything random.
        baudrate: speed of the line that requests and answers are paced at; 0: no pacing.
        answer_delay: s that the devices take to begin an answer.
        meter_unit: unit id of the meter.
        meter_model: one of METERS.
        board_model: one of BOARDS.
        eeprom: file that keeps the board's set-up registers.
        plant, board, meter: their behaviour.
    """

    scenario: Scenario = field(default_factory=Scenario)
    seed: int = 0
    baudrate: int = 9600
    answer_delay: float = 0.02
    meter_unit: int = METER_UNIT
    meter_model: str = 'sdm630'
    board_model: str = 'evse_din'
    eeprom: Path | None = None
    plant: PlantParameters = field(default_factory=PlantParameters)
    board: BoardParameters = field(default_factory=BoardParameters)
    meter: MeterParameters = field(default_factory=MeterParameters)


class ChargePoint:
    """Plant, board and meter on one line, and everything that can be done to them.

    Attributes:
        plant: what is true.
        board: the pilot board.
        meter: the meter.
        line: the RS-485 line as the devices see it.
        log: where events go.
    """

    def __init__(self, parameters: ChargePointParameters, log: BoardLog, now: float) -> None:
        scenario = parameters.scenario
        self.log = log
        self.plant = Plant(
            parameters.plant, now=now, seed=parameters.seed,
            listener=lambda at, event, fields: log.write(at, event, **fields))
        meter_table = device_table(parameters.meter_model)
        kind = METER_KINDS.get(parameters.meter_model, RegisterMeter)
        self.meter = kind(self.plant, meter_table, now=now, seed=parameters.seed + 1,
                          parameters=parameters.meter)
        self._faults = {
            'pilot': self._new_faults('pilot', parameters.seed + 2),
            'meter': self._new_faults('meter', parameters.seed + 3)}
        self.board = self._new_board(parameters, now)
        self._meter = BusDevice('meter', lambda: parameters.meter_unit, self.meter,
                                self._faults['meter'], quiet=meter_table['quiet'],
                                answer_delay=parameters.answer_delay)
        self.line = self._new_line(parameters)
        self._scenario = scenario
        self._last_vehicle: Ev | None = None
        self._actions: Mapping[str, Callable[[Mapping[str, Any], float], None]] = {
            'plug_in': self._plug_in, 'unplug': self._unplug, 'set_vehicle': self._set_vehicle,
            'short_pilot': self._short_pilot, 'weld': self._weld, 'set_mains': self._set_mains,
            'set_meter': self._set_meter, 'reset_board': self._reset_board,
            'lose_fine_steps': lambda arguments, at: self._evse_din().lose_fine_steps(at),
            'factory_board': self._factory_board, 'set_register': self._set_register,
            'clear_faults': self._clear_faults,
        }
        self._set_mains(scenario.mains, now)
        self._set_meter(scenario.meter, now)

    def _new_board(self, parameters: ChargePointParameters, now: float) -> Board:
        model = parameters.board_model
        if model == 'openevse':
            return OpenEvse(self.plant, self.log, self._faults['pilot'], now=now,
                            parameters=parameters.board, baudrate=parameters.baudrate,
                            answer_delay=parameters.answer_delay)
        table = device_table(model)
        if model == 'evse_din':
            factory = FACTORY | {SET_UP_REGISTERS[name]: value
                                 for name, value in parameters.scenario.board.items()}
            return EvseDin(self.plant, table, self.log, Eeprom(factory, parameters.eeprom),
                           now=now, parameters=parameters.board)
        if model == 'phoenix_ev_ser':
            return PhoenixSerial(self.plant, table, self.log,
                                 Eeprom(SERIAL_FACTORY, parameters.eeprom), now=now,
                                 parameters=parameters.board)
        return PhoenixEthernet(self.plant, table, self.log,
                               Eeprom(ETHERNET_FACTORY, parameters.eeprom), now=now,
                               parameters=parameters.board)

    def _new_line(self, parameters: ChargePointParameters) -> RtuLine | TcpLine | OpenEvseLine:
        board = self.board
        if isinstance(board, OpenEvse):
            return OpenEvseLine(board)
        pilot = BusDevice('pilot', board.unit, board, self._faults['pilot'],
                          quiet=device_table(parameters.board_model)['quiet'],
                          answer_delay=parameters.answer_delay, is_up=board.is_up)
        if isinstance(board, PhoenixEthernet):
            return TcpLine([pilot])
        return RtuLine(
            [pilot, self._meter], parameters.baudrate,
            lambda at, device, fields: self.log.write(at, 'violation', device=device, **fields))

    def _new_faults(self, device: str, seed: int) -> Faults:
        return Faults(random.Random(seed), lambda at, kind, active: self.log.write(
            at, 'fault', kind=kind, device=device, on=active))

    def feed(self, now: float, data: bytes) -> None:
        """Takes what came over the line at ``now`` s; ``step`` gives the answer."""
        self.line.feed(now, data)

    def due(self) -> float:
        """s, when ``step`` is to be called at the latest."""
        return min(self.plant.at + MAX_STEP, self.plant.contactor.next_change(), self.line.due(),
                   self.meter.due(), self.board.due(),
                   *(faults.next_end() for faults in self._faults.values()))

    def step(self, now: float) -> bytes:
        """Lives on until ``now`` s; returns what the devices send.

        A long gap (the computer slept) is lived through in larger pieces.
        """
        piece = max(MAX_STEP, (now - self.plant.at) / _MOST_PIECES)
        while self.plant.at < now:
            self.plant.step(min(now, self.plant.at + piece), piece)
            self.board.step(self.plant.at)
            self.meter.step(self.plant.at)
        for faults in self._faults.values():
            faults.step(now)
        return self.line.step(now)

    def do(self, action: str, arguments: Mapping[str, Any], now: float) -> None:
        """Does what ``actions.checked`` has checked.

        Raises:
            ValueError: it cannot be done now, in words.
        """
        if action in KINDS:
            self._set_fault(action, arguments, now)
        else:
            self._actions[action](arguments, now)
        self.plant.step(now)
        self.board.step(now)

    def _plug_in(self, arguments: Mapping[str, Any], now: float) -> None:
        if self.plant.vehicle:
            raise ValueError('plug_in: a vehicle is plugged in already (unplug it first)')
        vehicle = self._last_vehicle
        if 'vehicle' in arguments or vehicle is None:
            vehicle = Ev(vehicle_of(arguments.get('vehicle', self._scenario.vehicle)), now)
        self.plant.plug_in(vehicle, now, arguments.get('cable', self._scenario.cable))

    def _unplug(self, arguments: Mapping[str, Any], now: float) -> None:
        if not self.plant.vehicle:
            raise ValueError('unplug: no vehicle is plugged in')
        self._last_vehicle = self.plant.unplug(now)

    def _set_vehicle(self, arguments: Mapping[str, Any], now: float) -> None:
        if not self.plant.vehicle:
            raise ValueError('set_vehicle: no vehicle is plugged in')
        self.plant.vehicle.change(arguments['vehicle'])

    def _short_pilot(self, arguments: Mapping[str, Any], now: float) -> None:
        self.plant.pilot_shorted = arguments.get('active', True)

    def _weld(self, arguments: Mapping[str, Any], now: float) -> None:
        self.plant.contactor.weld(arguments.get('active', True), now)

    def _set_mains(self, arguments: Mapping[str, Any], now: float) -> None:
        self.plant.mains = dataclasses.replace(self.plant.mains, **arguments)

    def _set_meter(self, arguments: Mapping[str, Any], now: float) -> None:
        values = dict(arguments)
        self.plant.energy_imported = values.pop('energy_imported', self.plant.energy_imported)
        self.plant.meter_gain = values.pop('gain', self.plant.meter_gain)
        self.meter.parameters = dataclasses.replace(self.meter.parameters, **values)

    def _reset_board(self, arguments: Mapping[str, Any], now: float) -> None:
        self.board.reset(now, 'reset')

    def _factory_board(self, arguments: Mapping[str, Any], now: float) -> None:
        if isinstance(self.board, OpenEvse):
            raise ValueError('factory_board: an OpenEVSE has no registers that could be restored')
        self.board.eeprom.restore_factory()
        self.board.reset(now, 'another board')

    def _set_register(self, arguments: Mapping[str, Any], now: float) -> None:
        self._evse_din().eeprom.write(SET_UP_REGISTERS[arguments['register']], arguments['value'])

    def _evse_din(self) -> EvseDin:
        if not isinstance(self.board, EvseDin):
            raise ValueError('only an EVSE-DIN has such registers')
        return self.board

    def _chosen(self, arguments: Mapping[str, Any]) -> list[Faults]:
        device = arguments.get('device', 'all')
        return list(self._faults.values()) if device == 'all' else [self._faults[device]]

    def _set_fault(self, kind: str, arguments: Mapping[str, Any], now: float) -> None:
        names = ('count', 'probability', 'delay', 'code')
        values = {name: arguments[name] for name in names if name in arguments}
        for faults in self._chosen(arguments):
            if arguments.get('active', True):
                faults.set(Fault(kind, until=fault_end(arguments, now), **values), now)
            else:
                faults.clear(now, kind)

    def _clear_faults(self, arguments: Mapping[str, Any], now: float) -> None:
        for faults in self._chosen(arguments):
            faults.clear(now)

    def truth(self) -> dict[str, Any]:
        """What is true now, as plain data: for tests and for people."""
        plant, board, vehicle = self.plant, self.board, self.plant.vehicle
        return {
            't': plant.at,
            'vehicle': None if vehicle is None else {
                'letter': vehicle.letter, 'asleep': vehicle.asleep, 'soc': vehicle.soc,
                'energy': vehicle.energy},
            'plant': {
                'letter': plant.letter, 'voltage': plant.voltage, 'frequency': plant.frequency,
                'amperage': plant.amperage, 'power': plant.power, 'energy': plant.energy,
                'cable_amperage': plant.cable_amperage, 'duty': plant.duty,
                'contactor_closed': plant.contactor.closed, 'welded': plant.contactor.welded},
            'board': board.truth(),
            'meter': {'energy_imported': plant.energy_imported,
                      'sampled_at': self.meter.sampled_at, 'sample': self.meter.sample},
            'line': {**self.line.counters,
                     **{device.name: dict(device.counters) for device in self.line.devices}},
            'faults': {name: faults.active() for name, faults in self._faults.items()},
        }
