"""Drives either kind of pilot hardware from the block that belongs to it, alike for the node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from charger_control.core.heard import Heard
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.iso61851.duty import amperage_of_duty
from charger_control.core.iso61851.faults import FaultConfig
from charger_control.core.iso61851.raw.block import RawPilotConfig, RawPilotControl
from charger_control.core.iso61851.raw.sequence import PhaseConfig
from charger_control.core.iso61851.raw.types import STEADY_HIGH, Event, RawOrder
from charger_control.core.iso61851.signal import SignalConfig
from charger_control.core.iso61851.wake import WakeUpConfig
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.drivers.interfaces import (
    CurrentPilot,
    FaultKeeper,
    Pilot,
    RawPilot,
    Sample,
    VehicleWaker,
)
from charger_control.nodes.iso61851_latch import Latched
from charger_control.ros.parameters import Param

T = TypeVar('T')
WAKE_PARAMS = (
    Param('wake_up.attempts', 2, 'how often a vehicle that does not react is woken up (with '
          'linux_pilot and OpenEVSE; others have no means), in the first offer after plug-in and '
          'after each pause of 15 min, together at most 4 times without charging between; 0: never',
          low=0, high=4),
    Param('wake_up.after', 30.0, 'an offer without reaction, until then', 's', low=10.0,
          high=600.0),
    Param('wake_up.time', 4.0, 'state F at the first attempt', 's', low=3.0, high=60.0),
    Param('wake_up.long_time', 30.0, 'state F at further ones', 's', low=3.0, high=120.0),
)
"""Parameters of hardware that can show state F."""
RAW_PARAMS = (
    Param('simplified_limit', False, 'a vehicle without S2 is offered 10 A at the most (this and '
          'what follows: only with a single-board computer as pilot)'),
    Param('fault_dark_time', 0.3, 'state F after a fault while charging; 0 for vehicles that latch '
          'a fault on it', 's', low=0.0, high=10.0),
    Param('phase_switch.hold', 45.0, 'state F while phases are switched; at least 60 after '
          'opening in state C', 's', low=4.0, high=300.0),
    Param('phase_switch.up_delay', 60.0, 'three phases must be wished for so long while one is on',
          's', low=0.0, high=3600.0),
)
"""Parameters that only a RawPilot has a use for."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one tick did.

    Attributes:
        offered: A that was ordered, 0 for no offer.
        pilot: what to publish, None for nothing.
        latched: what to keep over restarts.
        events: what has happened, in words.
    """

    offered: float
    pilot: ControlPilot | None
    latched: Latched
    events: tuple[str, ...] = ()


class Drive(Protocol):
    """One pilot and its block."""

    control: CurrentPilotControl | RawPilotControl

    def step(self, now: float) -> Step:
        """One tick: reads, decides, orders."""

    def withdraw(self) -> None:
        """No offer, whatever the block has decided: it cannot decide now."""

    def stopped(self, now: float) -> bool:
        """Whether the process may end."""

    def restore(self, latched: Latched) -> None:
        """Takes over what an earlier process had latched."""

    def reset_fault(self) -> bool:
        """Clears a latched fault, also one that the driver keeps; False if there was none."""


class CurrentDrive:
    """A board that owns its duty cycle; see Drive."""

    def __init__(self, driver: CurrentPilot, values: dict[str, Any], latched: str) -> None:
        self._driver = driver
        self._note = ''
        self.control: CurrentPilotControl | RawPilotControl
        self.control = self._block = CurrentPilotControl(CurrentPilotConfig(
            connected_phases=values['phases'], board_timeout=driver.timeout,
            present_hold=values['present_hold'],
            stop_time=values['stop_time'], socket=values['socket'],
            meter_timeout=values['meter_timeout'],
            signal=SignalConfig(step=driver.step, pace=values['pace']),
            faults=faults_of(values),
            wake_up=wake_up_of(values) if isinstance(driver, VehicleWaker) else None), latched)

    def step(self, now: float) -> Step:
        """See Drive."""
        sample = self._driver.latest()
        result = self._block.step(now, heard(sample), sample.error)
        if result.wake and isinstance(self._driver, VehicleWaker):
            self._driver.wake(result.wake)
        if result.open_contactor:
            self._driver.open_contactor()
        self._driver.offer(result.offer)
        note, before, self._note = self._block.note, self._note, self._block.note
        kept = self._driver.kept_fault() if isinstance(self._driver, FaultKeeper) else None
        return Step(result.offer or 0.0, result.pilot, Latched(result.latch, kept),
                    (*words_of(result.events), *([note] if note and note != before else ())))

    def withdraw(self) -> None:
        """See Drive."""
        self._driver.offer(None)

    def stopped(self, now: float) -> bool:
        """See Drive."""
        return self._block.stopped(now, heard(self._driver.latest()))

    def restore(self, latched: Latched) -> None:
        """See Drive."""
        self._block.faults.reveal(latched.name)
        if latched.board is not None and isinstance(self._driver, FaultKeeper):
            self._driver.keep_fault(latched.board)

    def reset_fault(self) -> bool:
        """See Drive."""
        kept = isinstance(self._driver, FaultKeeper) and self._driver.reset_fault()
        return self._block.faults.reset() or kept


class RawDrive:
    """Hardware that only puts out and measures; see Drive."""

    def __init__(self, driver: RawPilot, values: dict[str, Any], latched: str) -> None:
        self._driver, self._ordered = driver, RawOrder()
        self.control: CurrentPilotControl | RawPilotControl
        self.control = self._block = RawPilotControl(RawPilotConfig(
            connected_phases=values['phases'], board_timeout=driver.timeout,
            present_hold=values['present_hold'],
            stop_time=values['stop_time'], socket=values['socket'],
            meter_timeout=values['meter_timeout'],
            simplified_limit=values['simplified_limit'],
            fault_dark_time=values['fault_dark_time'],
            signal=SignalConfig(step=driver.step, pace=values['pace']),
            faults=faults_of(values),
            wake_up=wake_up_of(values),
            phases=PhaseConfig(driver.switches_phases, values['phase_switch.hold'],
                               max(values['phase_switch.hold'], PhaseConfig().loaded_hold),
                               values['phase_switch.up_delay'])), latched)

    def step(self, now: float) -> Step:
        """See Drive."""
        sample = self._driver.latest()
        result = self._block.step(now, heard(sample), sample.error)
        self._ordered = result.order
        self._driver.order(result.order)
        return Step(amperage_of_duty(result.order.duty), result.pilot, Latched(result.latch),
                    words_of(result.events))

    def withdraw(self) -> None:
        """See Drive."""
        self._driver.order(replace(self._ordered, duty=STEADY_HIGH))

    def stopped(self, now: float) -> bool:
        """See Drive."""
        return self._block.stopped(now, heard(self._driver.latest()))

    def restore(self, latched: Latched) -> None:
        """See Drive."""
        self._block.faults.reveal(latched.name)

    def reset_fault(self) -> bool:
        """See Drive."""
        return self._block.faults.reset()


def drive_of(driver: Pilot, values: dict[str, Any], latched: str) -> Drive:
    """The drive for a pilot's kind; ``values``: the node's parameters, ``latched``: the fault that
    was in force when the last process ended."""
    if isinstance(driver, RawPilot):
        return RawDrive(driver, values, latched)
    return CurrentDrive(driver, values, latched)


def faults_of(values: dict[str, Any]) -> FaultConfig:
    """The fault table's figures from the node's parameters."""
    return FaultConfig(stop_time=values['stop_time'], clear_time=values['clear_time'],
                       over_current_time=values['over_current_time'],
                       meter_lag=values['meter_lag'], ventilation=values['ventilation'])


def wake_up_of(values: dict[str, Any]) -> WakeUpConfig:
    """The wake-up's figures from the node's parameters."""
    return WakeUpConfig(values['wake_up.attempts'], values['wake_up.after'],
                        values['wake_up.time'], values['wake_up.long_time'])


def words_of(events: Iterable[Event]) -> tuple[str, ...]:
    """What has happened, for the log."""
    return tuple(f'{event.kind.value}: {event.detail}' if event.detail else event.kind.value
                 for event in events)


def heard(sample: Sample[T]) -> Heard[T] | None:
    """A driver's sample as the blocks take it."""
    return None if sample.value is None else Heard(sample.value, sample.at)
