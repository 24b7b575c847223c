"""The one table of topics and services: name, type, QoS, who publishes, who subscribes.

Both ends of every topic take their QoS from here; docs/topics.md is generated from here; a test
compares the running graph with it. Names are relative: one namespace per charger, team topics
remapped into the team's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from charger_interfaces.msg import (
    AmperageLimit,
    AvailableAmperage,
    Charging,
    Configuration,
    ControlPilot,
    Decision,
    Limits,
    MeterReading,
    TeamAllocation,
    TeamBudget,
    TeamRequest,
    Transaction,
)
from charger_interfaces.srv import (
    BindTransaction,
    ClearChargingProfile,
    GetChargingProfiles,
    GetCompositeSchedule,
    ResetFault,
    SetChargingProfile,
    SetDimming,
    SetLimits,
)
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

VOICES_DEPTH = 8
"""Words that a reader keeps until it turns: of a depth of 1 a second voice at 50 Hz would take the
place of the first's."""
LARGEST_TEAM = 512
"""Members whose requests may arrive in one burst; a fan-in reader keeps as many."""


class Kind(Enum):
    """Kinds of topic, each with one QoS (architecture.md, Topics)."""

    STATE = 'state'
    LATCHED = 'latched'
    FAN_IN = 'fan-in'
    STANDARD = 'standard'


def qos_of(kind: Kind) -> QoSProfile:
    """The QoS of a kind of topic, for publisher and subscriber alike."""
    depth = {Kind.FAN_IN: LARGEST_TEAM, Kind.STANDARD: 10}.get(kind, 1)
    durability = (DurabilityPolicy.TRANSIENT_LOCAL if kind is Kind.LATCHED
                  else DurabilityPolicy.VOLATILE)
    return QoSProfile(reliability=ReliabilityPolicy.RELIABLE, durability=durability,
                      history=HistoryPolicy.KEEP_LAST, depth=depth,
                      liveliness=LivelinessPolicy.AUTOMATIC)


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table.

    Attributes:
        name: relative topic name.
        type: message class.
        kind: which QoS.
        publishers: names of the nodes that publish it.
        subscribers: names of the nodes of this package that subscribe to it.
        about: what it carries, for docs.
    """

    name: str
    type: Any
    kind: Kind
    publishers: tuple[str, ...]
    subscribers: tuple[str, ...]
    about: str

    @property
    def qos(self) -> QoSProfile:
        """QoS for either end."""
        return qos_of(self.kind)

    @property
    def reader_qos(self) -> QoSProfile:
        """QoS of this package's own readers: with room for a second voice beside the first."""
        qos = self.qos
        qos.depth = max(qos.depth, VOICES_DEPTH)
        return qos


METER = Topic('meter', MeterReading, Kind.STATE, ('fiscal_meter',),
              ('cppwm_controller', 'iso61851', 'hw_limit', 'smart_charging', 'api', 'session',
               'bridge'), 'what the fiscal meter measures')
CONTROL_PILOT = Topic('control_pilot', ControlPilot, Kind.STATE, ('iso61851',),
                      ('cppwm_controller', 'hw_limit', 'session', 'bridge'),
                      'state of the control pilot and the contactor')
LIMIT_HW = Topic('limits/hw', AmperageLimit, Kind.LATCHED, ('hw_limit',),
                 ('cppwm_controller', 'iso61851', 'smart_charging', 'session'),
                 'what fuse, cable, phases, temperature and terminals allow')
LIMIT_SMART_CHARGING = Topic('limits/smart_charging', AmperageLimit, Kind.LATCHED,
                             ('smart_charging',), ('cppwm_controller',),
                             'what the OCPP profiles allow now')
LIMIT_API = Topic('limits/api', AmperageLimit, Kind.LATCHED, ('api',), ('cppwm_controller',),
                  'what clients allow')
DECISION = Topic('decision', Decision, Kind.LATCHED, ('cppwm_controller',),
                 ('session', 'api', 'smart_charging', 'bridge'),
                 'what is commanded, whose limit it is, and why')
AVAILABLE = Topic('available', AvailableAmperage, Kind.STATE, ('cppwm_controller',), ('iso61851',),
                  'what the vehicle may be offered')
CHARGING = Topic('charging', Charging, Kind.STATE, ('cppwm_controller',), ('bridge',),
                 'the nine momentary values')
TEAM_REQUEST = Topic('team/request', TeamRequest, Kind.FAN_IN, ('cppwm_controller',), ('team',),
                     'what each member asks')
TEAM_ALLOCATION = Topic('team/allocation', TeamAllocation, Kind.STATE, ('team',),
                        ('cppwm_controller', 'team'), "the leader's list")
VCSE_REQUEST = Topic('vcse/request', TeamRequest, Kind.STATE, ('team',), ('vcse',),
                     "the team's total, as one member")
VCSE_BUDGET = Topic('vcse/budget', TeamBudget, Kind.STATE, ('vcse',), ('team', 'bridge'),
                    'what the team may draw together')
GRID_METER = Topic('grid_meter', MeterReading, Kind.STATE, ('grid_meter',), ('vcse',),
                   'a second fiscal_meter at the point of supply')
LIMITS_DOCUMENT = Topic('limits/api/document', Limits, Kind.LATCHED, ('api',),
                        ('bridge',), 'the limits as clients set them')
TRANSACTION = Topic('transaction', Transaction, Kind.LATCHED, ('session',),
                    ('bridge', 'fiscal_meter', 'smart_charging'), 'the charging session')
CONFIGURATION = Topic('configuration', Configuration, Kind.LATCHED, ('session',), ('bridge',),
                      'identity and abilities of the charger')
DIAGNOSTICS = Topic('/diagnostics', DiagnosticArray, Kind.STANDARD, ('*',), (),
                    'health of every node')

TOPICS = (METER, CONTROL_PILOT, LIMIT_HW, LIMIT_SMART_CHARGING, LIMIT_API, DECISION, AVAILABLE,
          CHARGING, TEAM_REQUEST, TEAM_ALLOCATION, VCSE_REQUEST, VCSE_BUDGET, GRID_METER,
          LIMITS_DOCUMENT, TRANSACTION, CONFIGURATION, DIAGNOSTICS)

PARENT_REQUEST = replace(TEAM_REQUEST, name='parent/request', publishers=('vcse',))
PARENT_ALLOCATION = replace(TEAM_ALLOCATION, name='parent/allocation', subscribers=('vcse',))
"""The topics of the team above, which a vcse with a `parent` has by remap."""

LIMIT_SOURCES = {'hw': LIMIT_HW, 'smart_charging': LIMIT_SMART_CHARGING, 'api': LIMIT_API}
"""Limit sources by the name that ``cppwm_controller.sources`` uses."""


SERVICE_QOS = QoSProfile(reliability=ReliabilityPolicy.RELIABLE,
                         durability=DurabilityPolicy.VOLATILE,
                         history=HistoryPolicy.KEEP_LAST, depth=64)
"""Of every service and client: as ROS 2's own, but with room for a burst of web clients."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of the table: relative name, type, the node that answers, what it does."""

    name: str
    type: Any
    server: str
    about: str


SET_LIMITS = ServiceRow('set_limits', SetLimits, 'api', "sets the API's limits, all or nothing")
RESET_FAULT = ServiceRow('reset_fault', ResetFault, 'iso61851', 'clears a latched fault')
SET_CHARGING_PROFILE = ServiceRow('set_charging_profile', SetChargingProfile, 'smart_charging',
                                  'installs an OCPP charging profile')
CLEAR_CHARGING_PROFILE = ServiceRow('clear_charging_profile', ClearChargingProfile,
                                    'smart_charging', 'removes OCPP charging profiles')
GET_COMPOSITE_SCHEDULE = ServiceRow('get_composite_schedule', GetCompositeSchedule,
                                    'smart_charging', 'the schedule that results')
GET_CHARGING_PROFILES = ServiceRow('get_charging_profiles', GetChargingProfiles, 'smart_charging',
                                   'the OCPP charging profiles that are installed')
BIND_TRANSACTION = ServiceRow('bind_transaction', BindTransaction, 'session',
                              'gives the running session the transaction id of the CSMS')
SET_DIMMING = ServiceRow('set_dimming', SetDimming, 'vcse',
                         "limits the team's power from outside; a heartbeat")

SERVICES = (SET_LIMITS, RESET_FAULT, SET_CHARGING_PROFILE, CLEAR_CHARGING_PROFILE,
            GET_COMPOSITE_SCHEDULE, GET_CHARGING_PROFILES, BIND_TRANSACTION, SET_DIMMING)
