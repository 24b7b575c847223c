"""Numbers and memory of an OpenEVSE, after its firmware 8.2.3 (github OpenEVSE/open_evse)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag


class State(IntEnum):
    """EVSE_STATE_* (J1772EvseController.h)."""

    UNKNOWN = 0
    A = 1
    B = 2
    C = 3
    D = 4
    DIODE_CHECK_FAILED = 5
    GFCI_FAULT = 6
    NO_GROUND = 7
    STUCK_RELAY = 8
    OVER_TEMPERATURE = 0xA
    SLEEPING = 0xFE
    DISABLED = 0xFF


FAULT_STATES = (State.D, State.DIODE_CHECK_FAILED, State.GFCI_FAULT, State.NO_GROUND,
                State.STUCK_RELAY, State.OVER_TEMPERATURE)
"""EVSE_FAULT_STATE_BEGIN is state D."""


class Flag(IntFlag):
    """ECVF_* (J1772EvseController.h)."""

    HARD_FAULT = 0x0002
    LIMIT_SLEEP = 0x0004
    CHARGING_ON = 0x0040
    EV_CONNECTED = 0x0100
    SESSION_ENDED = 0x0200


TRANSITION_TIME, TRANSITION_A_TIME = 0.25, 0.025
"""s, DELAY_STATE_TRANSITION and _A (open_evse.h)."""
GFI_TIMEOUT, GFI_RETRIES = 300.0, 6
"""s until the board tries again after a residual current or a lost ground, and how often."""
GROUND_CHECK_DELAY, STUCK_RELAY_DELAY = 1.0, 1.0
SLEEP_OPEN_TIME = 3.0
"""s asleep until the relay opens under load (Update())."""
HARD_FAULT_TIME = 2.0
"""s after closing within which a fault is a hard one (UL_COMPLIANT, end of Update())."""


@dataclass
class Memory:
    """Its EEPROM.

    Attributes:
        amperage: A, the most that can be set without writing it, and what it starts with.
        interval, fallback: s and A of the heartbeat supervision; kept since SY was told.
        gfi_trips, ground_trips, stuck_trips: entries into a fault.
        writes: of any cell.
    """

    amperage: int = 32
    interval: int = 0
    fallback: int = 0
    gfi_trips: int = 0
    ground_trips: int = 0
    stuck_trips: int = 0
    writes: int = field(default=0)

    def write(self, name: str, value: int) -> None:
        """Only what differs is written (HeartbeatSupervision())."""
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.writes += 1

    def count(self, name: str) -> None:
        """One more entry into a fault."""
        self.write(name, min(getattr(self, name) + 1, 253))
