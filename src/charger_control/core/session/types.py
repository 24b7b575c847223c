"""What clients see of a charging session, and of the charger it runs on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from charger_control.core.moment import Moment
from charger_control.core.units import NAN


@dataclass(frozen=True, slots=True)
class Transaction:
    """One charging session, from plug-in to unplug; fields as in Transaction.msg.

    Times are unix seconds, registers kWh; NaN: not started, not ended, not measured. ``''``: not
    known, or not yet.
    """

    session_id: str = ''
    state: str = 'Unavailable'
    started_time: float = NAN
    ended_time: float = NAN
    meter_start: float = NAN
    meter_stop: float = NAN
    vehicle_status: str = 'S'
    charge_controller_status: str = 'S1'
    used_phases_session: str = '000'
    start_reason: str = ''
    stop_reason: str = ''
    allocation_source_name: str = 'Unmanaged'
    one_phase_limit_active: bool = False
    phase_limit_source_name: str = ''
    phase_rotation_active: bool = False
    phase_rotation_source_name: str = ''
    ocpp_transaction_id: str = ''
    recent_error_cause: str = ''
    billable: bool = True
    energy_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """Identity and abilities of the charger; fields as in Configuration.msg.

    ``effective_amperage_limit``: A per phase, what installation and cable allow; NaN: not known.
    """

    power_domain_name: str = ''
    controller_name: str = ''
    session_id: str = ''
    effective_amperage_limit: float = NAN
    has_phase_rotation: bool = False
    has_phase_shutoff: bool = False
    has_phase_turnon: bool = False


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
