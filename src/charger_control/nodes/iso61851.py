"""The iso61851 node: what is available goes to the pilot, what the pilot says goes out."""

from __future__ import annotations

from typing import Any

from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.current_pilot import CurrentPilotControl
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.words import fault_sentence
from charger_control.drivers.interfaces import Pilot
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.registry import check_pilot, open_pilot, switches_phases
from charger_control.nodes.iso61851_drive import RAW_PARAMS, WAKE_PARAMS, drive_of
from charger_control.nodes.iso61851_latch import LatchKeeper
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import AVAILABLE, CONTROL_PILOT, LIMIT_HW, METER, RESET_FAULT
from charger_control.ros.machine.inhibitor import SleepInhibitor
from charger_control.ros.node import Answer, BlockNode
from charger_control.ros.parameters import Group, Param
from charger_control.ros.runner import run
from charger_control.store.place import store_file
from charger_control.store.store import Store

REPEAT = 0.2
"""s after which an unchanged control pilot is published again."""

PARAMS = (
    Group('device', 'the board: driver, port, what else it asks (docs/hardware.md); linux_pilot: '
          'this computer', check_pilot),
    Param('rate', 20.0, 'ticks', 'Hz', low=5.0, high=100.0),
    Param('phases', 3, 'phases connected to this charge point, whose voltages are watched', low=1,
          high=3),
    Param('socket', False, 'a socket, not a tethered cable: the rating of the cable bounds the '
          'signal'),
    Param('has_phase_shutoff', False, 'this charge point can switch to one phase: only a '
          'single-board computer with device.phase_line'),
    Param('ventilation', False, 'vehicles that ask for ventilation (state D) may charge'),
    Param('pace', 5.0, 'time between changes of the signal that are not at once', 's', low=0.5,
          high=60.0),
    Param('present_hold', 10.0, 'no offer after a start with a vehicle present', 's', low=0.0,
          high=600.0),
    Param('stop_time', 6.0, 'time the vehicle has to stop after "no offer"; then the contactor '
          'opens under load', 's', low=3.0, high=30.0),
    Param('over_current_time', 7.0, 'drawing above 1.1 x (signal + 0.5 A) for longer is a fault',
          's', low=6.0, high=60.0),
    Param('clear_time', 30.0, 'time after which a clearable fault clears by itself, three times a '
          'session', 's', low=1.0, high=3600.0),
    Param('meter_lag', 1.0, "how old a current may be that the meter has just measured: it is no "
          "sign of a welded contactor for so long after opening", 's', low=0.0, high=30.0),
    Param('meter_timeout', 3.0, 'for how long a measured current counts: more than two periods of '
          'the meter', 's', low=0.5, high=30.0),
    *WAKE_PARAMS,
    *RAW_PARAMS,
    Param('state_dir', '', 'where latched faults are kept; empty: '
          '~/.local/state/charger_control/<namespace>'),
)


def config_of(values: dict[str, Any]) -> None:
    """Refuses what the board cannot do: ValueError in words."""
    if values['has_phase_shutoff'] and not switches_phases(values['device']):
        raise ValueError(
            f'iso61851.has_phase_shutoff = true: the board {values["device"].get("driver")!r} '
            'cannot switch phases (allowed: false; true with linux_pilot and its phase_line)')


class Iso61851(BlockNode):
    """Ticks the block; a lower available amperage or HW limit ticks it at once."""

    def __init__(self, buses: Buses | None = None, driver: Pilot | None = None,
                 **kwargs: Any) -> None:
        """``driver``: instead of the one that the parameters name."""
        super().__init__('iso61851', PARAMS, **kwargs)
        self.checked(config_of)
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()))
        self._driver = driver or self.checked(
            lambda values: open_pilot(values['device'], buses or Buses(), 'iso61851'),
            'device')
        self._keeper = LatchKeeper(self._store, self.wall)
        self._drive = drive_of(self._driver, self.values, self._keeper.found.name)
        self._drive.restore(self._keeper.found)
        self._control = self._drive.control
        self._control.faults.detail = self._keeper.trouble
        self._offered = 0.0
        self._published: tuple[ControlPilot, float] | None = None
        self._fault = ''
        self._inhibitor = SleepInhibitor()
        self._publish = self.publisher(CONTROL_PILOT)
        self.hear(AVAILABLE, self._on_available)
        self.hear(LIMIT_HW, self._on_hw)
        self.hear(METER, self._control.hear_meter)
        self.serve(RESET_FAULT, self._reset_fault)
        self._driver.start()
        self.every(self.values['rate'], self._step)

    # -- inputs ----------------------------------------------------------------------------------
    def _on_available(self, heard: Heard[Any]) -> None:
        self._control.hear_available(heard)
        if not heard.value.enable or heard.value.available_amperage < self._offered:
            self._step()

    def _on_hw(self, heard: Heard[Any]) -> None:
        self._control.hear_hw(heard)
        if heard.value.amperage < self._offered:
            self._step()

    def _reset_fault(self, _request: Any, answer: Answer) -> None:
        had = self._drive.reset_fault()
        if not had:
            answer(success=False, code='NoFault', message='no fault is latched')
            return
        self._keeper.reset()
        self.get_logger().warning('the latched fault was cleared')
        answer(success=True, code='OK', message='cleared; it comes back while the cause is there')

    # -- the tick --------------------------------------------------------------------------------
    def _step(self) -> None:
        now = self.now()
        if (found := self._keeper.reread(now)) is not None:
            self._drive.restore(found)
        step = self._drive.step(now)
        self._offered = step.offered
        for event in step.events:
            self.get_logger().info(event)
        self._keeper.keep(now, step.latched)
        if step.pilot is not None:
            self._announce(now, step.pilot)

    def _announce(self, now: float, pilot: ControlPilot) -> None:
        """Publishes what has changed at once, what has not every REPEAT s."""
        closed = pilot.contactor_feedback
        self._inhibitor.hold(pilot.contactor_commanded is True if closed is None else closed)
        if pilot.fault != self._fault:
            self._fault = pilot.fault
            self.get_logger().error(self._fault_sentence(pilot) if pilot.fault
                                    else 'no fault any more')
        if self._published is not None:
            before, at = self._published
            same = (before.charge_controller_status, before.signaled_amperage, before.fault,
                    before.contactor_feedback, before.error)
            if same == (pilot.charge_controller_status, pilot.signaled_amperage, pilot.fault,
                        pilot.contactor_feedback, pilot.error) and now - at < REPEAT - 0.01:
                return
        self._published = (pilot, now)
        self._publish(pilot)

    def _fault_sentence(self, pilot: ControlPilot) -> str:
        """The fault in force, with what it was seen by or what the board says of it."""
        value = self._driver.latest().value
        board = value.error if isinstance(value, PilotReading) else ''
        return fault_sentence(pilot.fault, pilot.vehicle_status,
                              self._control.faults.detail or board)

    def make_safe(self, why: str) -> None:
        """Withdraws: the board is offered nothing, the contactor opens by the driver's rules."""
        self._offered = 0.0
        self._drive.withdraw()

    # -- the end ---------------------------------------------------------------------------------
    def stop(self) -> None:
        """No offer; then the vehicle has stop_time to stop."""
        self._control.stop()
        self._step()

    def stopped(self) -> bool:
        """Whether the vehicle has stopped, or had its time."""
        return self._drive.stopped(self.now())

    def close(self) -> None:
        """Puts out "no offer", frees the device."""
        self._driver.close()
        self._inhibitor.hold(False)
        self._store.close()

    def health(self) -> list[Health]:
        """The device with its counters, and the fault in force."""
        sample = self._driver.latest()
        value = sample.value
        error = sample.error or ('no answer yet' if value is None else '')
        unsafe = value.error if isinstance(value, PilotReading) and value.unsafe else ''
        settings = self.values['device']
        note = self._control.note if isinstance(self._control, CurrentPilotControl) else ''
        well = f'answering; {note}' if note else 'answering'
        device = Health('device', Level.ERROR if error or unsafe else Level.OK,
                        error or unsafe or well, {**sample.identity, **sample.counters},
                        sample.identity.get('serial_number')
                        or str(settings.get('port') or settings.get('host')
                               or settings.get('driver')))
        faults = self._control.faults
        words = 'none'
        if self._fault and self._published is not None:
            words = self._fault_sentence(self._published[0])
        fault = Health('fault', Level.ERROR if self._fault else Level.OK, words,
                       {'latched': faults.latched, 'recent': faults.recent})
        return [device, fault]


def main() -> int:
    """Runs the node in its own process."""
    return run([Iso61851])
