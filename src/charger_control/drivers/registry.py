"""Drivers by name: what there is, which options each has, and how it is opened.

A configuration is a mapping with ``driver`` and that driver's options, as in config/*.yaml::

    {driver: sdm630, port: /dev/serial/by-id/usb-..., baudrate: 9600, parity: N, unit: 1}

A new meter with a register table is one line in METERS; another protocol brings its own ``options``
and ``open`` functions, and a board also ``withdraw``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from charger_control.drivers.interfaces import Meter, Pilot
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.meters import iec62056_21 as d0_meter
from charger_control.drivers.meters import registers_factory as modbus_meter
from charger_control.drivers.meters import sml as sml_meter
from charger_control.drivers.options import Option, OptionError, checked
from charger_control.drivers.pilots.evse_din import factory as evse_din_factory
from charger_control.drivers.pilots.linux import factory as linux_factory
from charger_control.drivers.pilots.openevse import factory as openevse_factory
from charger_control.drivers.pilots.phoenix import factory as phoenix_factory
from charger_control.nearest import did_you_mean

__all__ = ['METERS', 'PILOTS', 'Buses', 'Option', 'OptionError', 'check_meter', 'check_pilot',
           'open_meter', 'open_pilot', 'options', 'withdraw']

Config = Mapping[str, Any]
D_co = TypeVar('D_co', covariant=True)


@dataclass(frozen=True, slots=True)
class Driver(Generic[D_co]):
    """One kind of device.

    Attributes:
        description: the device, for people.
        options: what can be set.
        open: from checked values and the process's buses to the device, not started.
        tcp_options: what can be set where ``host`` is given; None: it has no Modbus TCP.
    """

    description: str
    options: Callable[[], tuple[Option, ...]]
    open: Callable[[Mapping[str, Any], Buses], D_co]
    tcp_options: Callable[[], tuple[Option, ...]] | None = field(default=None, kw_only=True)

    def checked(self, config: Config, name: str) -> dict[str, Any]:
        """The value of every option. Raises OptionError."""
        tcp = self.tcp_options if 'host' in config else None
        return checked(config, (tcp or self.options)(), name)


@dataclass(frozen=True, slots=True)
class PilotDriver(Driver[Pilot]):
    """A board of either kind; ``withdraw``: as the function below, from checked values."""

    withdraw: Callable[[Mapping[str, Any], float], str]


def _table_meter(description: str, table: str) -> Driver[Meter]:
    return Driver(description, partial(modbus_meter.options, table),
                  partial(modbus_meter.open_meter, table),
                  tcp_options=partial(modbus_meter.tcp_options, table))


METERS: Mapping[str, Driver[Meter]] = {
    'sdm630': _table_meter('Eastron SDM630 v2, Modbus RTU', 'sdm630'),
    'sdm72': _table_meter('Eastron SDM72D-M v2, Modbus RTU', 'sdm72'),
    'sdm120': _table_meter('Eastron SDM120, one phase, Modbus RTU', 'sdm120'),
    'sdm230': _table_meter('Eastron SDM230, one phase, Modbus RTU', 'sdm230'),
    'em24': _table_meter('Carlo Gavazzi EM24 with RS485, Modbus RTU', 'em24'),
    'em340': _table_meter('Carlo Gavazzi EM340 or ET340, Modbus RTU', 'em340'),
    'b23': _table_meter('ABB B23 or B24, Modbus RTU', 'b23'),
    'wm3m4': _table_meter('Iskra WM3M4 or WM3M4C, Modbus RTU', 'wm3m4'),
    'bsm_ws36a': _table_meter('Bauer BSM-WS36A, SunSpec on Modbus RTU', 'bsm_ws36a'),
    'sml': Driver('SML pushed by an optical head', sml_meter.options, sml_meter.open_meter),
    'd0': Driver('IEC 62056-21 through an optical head (D0)', d0_meter.options,
                 d0_meter.open_meter),
}
PILOTS: Mapping[str, PilotDriver] = {
    'evse_din': PilotDriver('EVracing EVSE-DIN or EVSE-WB, Modbus RTU', evse_din_factory.options,
                            evse_din_factory.open_pilot, evse_din_factory.withdraw),
    'openevse': PilotDriver('OpenEVSE, RAPI', openevse_factory.options,
                            openevse_factory.open_pilot, openevse_factory.withdraw),
    'phoenix_ev_ser': PilotDriver(
        'Phoenix Contact EV-CC-AC1-M3 with a serial interface, Modbus RTU',
        phoenix_factory.serial_options, phoenix_factory.open_serial,
        phoenix_factory.withdraw_serial),
    'phoenix_em_eth': PilotDriver(
        'Phoenix Contact EM-CP-PP-ETH, Modbus TCP', phoenix_factory.ethernet_options,
        phoenix_factory.open_ethernet, phoenix_factory.withdraw_ethernet),
    'linux_pilot': PilotDriver("a single-board computer's own PWM, ADC and GPIO",
                               linux_factory.options, linux_factory.open_pilot,
                               linux_factory.withdraw),
}


def open_meter(config: Config, buses: Buses, who: str = 'meter') -> Meter:
    """A meter, not started.

    Args:
        config: driver and its options.
        buses: of this process; devices on one port share its bus.
        who: the block that has it, by which another one on its line is told.

    Raises:
        OptionError: an unknown driver or option, an impossible value, a port that is already run
            with other settings, or an address on it that another device has.
    """
    name, driver = _driver(config, METERS, 'meter')
    values = driver.checked(config, f'meter {name}')
    buses.shares.take(values, who, name)
    return driver.open(values, buses)


def open_pilot(config: Config, buses: Buses, who: str = 'pilot') -> Pilot:
    """A control-pilot board, not started; arguments and errors as ``open_meter``."""
    name, driver = _driver(config, PILOTS, 'pilot')
    values = checked(config, driver.options(), f'pilot {name}')
    buses.shares.take(values, who, name)
    return driver.open(values, buses)


def withdraw(config: Config, within: float = 1.0) -> str:
    """Writes "no offer" to a board whose process is dead, from a process of its own.

    Opens the port as soon as the kernel has taken it from the dead process, writes, reads back,
    tries again while there is time, and closes. Needs no bus and no ROS.

    Args:
        config: of the pilot, as for ``open_pilot``.
        within: s after which it gives up; an attempt under way may take 0.7 s longer.

    Returns:
        '' once the board has acknowledged and reads back that it offers nothing, else what stood
        in the way.

    Raises:
        OptionError: the configuration cannot be used.
    """
    name, driver = _driver(config, PILOTS, 'pilot')
    return driver.withdraw(checked(config, driver.options(), f'pilot {name}'), within)


def check_meter(config: Config) -> None:
    """Refuses a configuration that ``open_meter`` would. Raises OptionError (a ValueError)."""
    name, driver = _driver(config, METERS, 'meter')
    driver.checked(config, f'meter {name}')


def check_pilot(config: Config) -> None:
    """Refuses a configuration that ``open_pilot`` would. Raises OptionError (a ValueError)."""
    name, driver = _driver(config, PILOTS, 'pilot')
    checked(config, driver.options(), f'pilot {name}')


def switches_phases(config: Config) -> bool:
    """Whether a control pilot has a relay for L2 and L3; errors as ``check_pilot``."""
    name, driver = _driver(config, PILOTS, 'pilot')
    values = checked(config, driver.options(), f'pilot {name}')
    return bool(values.get('phase_line', linux_factory.NO_LINE) != linux_factory.NO_LINE)


def options(kind: str, driver: str) -> tuple[Option, ...]:
    """The options of a driver, to declare parameters from; ``kind``: meter or pilot.

    Raises:
        OptionError: an unknown kind or driver.
    """
    kinds: Mapping[str, Mapping[str, Driver[Any]]] = {'meter': METERS, 'pilot': PILOTS}
    if kind not in kinds:
        raise OptionError(f'kind: {kind!r} (allowed: {", ".join(kinds)})')
    return _driver({'driver': driver}, kinds[kind], kind)[1].options()


AnyDriver = TypeVar('AnyDriver', bound=Driver[Any])


def _driver(config: Config, drivers: Mapping[str, AnyDriver], kind: str) -> tuple[str, AnyDriver]:
    name = config.get('driver')
    if not isinstance(name, str) or name not in drivers:
        raise OptionError(f'{kind}: driver: {name!r} (allowed: {", ".join(sorted(drivers))}).'
                          f'{did_you_mean(name, drivers)}')
    return name, drivers[name]
