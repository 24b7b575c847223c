"""Where the simulated charger is plugged in, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from charger_control.sim.charge_point.charge_point import ChargePointParameters
from charger_control.sim.lines.direct_cable import DirectCable
from charger_control.sim.lines.modbus_tcp import TcpPort
from charger_control.sim.lines.pty_port import PtyPort


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Where the simulated charger is plugged in, and how it is built.

    Attributes:
        link: symlink under which a driver finds the serial line; None: drivers are in this process
            and ``exchange`` with it.
        tcp: host and port instead, for a board in a network; port 0 takes a free one.
        charge_point: everything about the charge point and its scenario.
        log: file of the board's log; None: in memory only.
        control: Unix socket of the control channel; None: none.
        api: URL of the charger's web server, for put_limits; '' where there is none.
    """

    link: Path | None = None
    tcp: tuple[str, int] | None = None
    charge_point: ChargePointParameters = field(default_factory=ChargePointParameters)
    log: Path | None = None
    control: Path | None = None
    api: str = ''


def port_of(options: SimulatorOptions) -> PtyPort | TcpPort | DirectCable:
    """The cable that the options ask for, not plugged in."""
    if options.tcp is not None:
        return TcpPort(options.tcp)
    return DirectCable() if options.link is None else PtyPort(options.link)
