"""What clients see of a charging session, and of the charger it runs on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as it is stored: enough to go on with it after a restart.

    Attributes:
        transaction: the session; ``ended_time`` NaN while it runs.
        saved: when this was written down.
        serial_number: the meter's; '' unknown.
        offered: current has been offered in this session.
        charged: the vehicle has been ready to charge in this session.
        register_age: s by which the register was older than that: the meter may have been silent.
        began: when it began, as ``transaction.started_time`` says; None: an older version wrote it.
    """

    transaction: Transaction
    saved: Moment
    serial_number: str = ''
    offered: bool = False
    charged: bool = False
    register_age: float = 0.0
    began: Moment | None = None

    def closed(self, ended: float, reason: str) -> SessionRecord:
        """The record once the session has ended at unix s ``ended``, never before it began."""
        ended = max(ended, self.transaction.started_time)
        return replace(self, transaction=replace(
            self.transaction, state='Idle', stop_reason=reason, ended_time=ended))

    def bound(self, ocpp_transaction_id: str) -> SessionRecord:
        """The record with the CSMS's transaction id, as of the time when it was saved."""
        return replace(self, transaction=replace(self.transaction,
                                                 ocpp_transaction_id=ocpp_transaction_id))

    def same_but_registers(self, other: SessionRecord) -> bool:
        """Whether nothing that is stored at once has changed: all but registers and times."""
        mine, others = (replace(r.transaction, meter_start=0.0, meter_stop=0.0, started_time=0.0,
                                ended_time=math.isnan(r.transaction.ended_time))
                        for r in (self, other))
        return mine == others and (self.offered, self.charged, self.serial_number) == (
            other.offered, other.charged, other.serial_number)


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Figures of the block; each is a parameter of the node.

    Attributes:
        power_domain_name, controller_name: who this is, for clients.
        has_phase_shutoff, has_phase_turnon: what the hardware can.
        max_power: W, the most this charge point can carry.
        max_gap: s without knowledge of the vehicle after which it may be another one.
        save_period: s between two records of a session that runs.
        start_time: s that a vehicle may take to begin to charge.
        settle_time: s after plug-in in which the decision may still be about an empty socket.
        pilot_silence, meter_silence, decision_silence: s until an input counts as silent.
        unplug_time: s for which the pilot must say A until the vehicle is gone: a glitch of it, or
            a plug that is moved, ends no session.
        finish_time: s to wait for the meter's last word after unplug.
    """

    power_domain_name: str = ''
    controller_name: str = ''
    has_phase_shutoff: bool = False
    has_phase_turnon: bool = False
    max_power: float = 55_200.0
    max_gap: float = 300.0
    save_period: float = 10.0
    start_time: float = 60.0
    settle_time: float = 1.0
    pilot_silence: float = 2.0
    meter_silence: float = 3.0
    decision_silence: float = 5.0
    unplug_time: float = 2.5
    finish_time: float = 5.0
