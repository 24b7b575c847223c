"""The session node: control pilot, meter and decision in; transaction and configuration out."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from charger_control.core import session as core
from charger_control.core.heard import Heard
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.session import Transaction
from charger_control.core.moment import Moment
from charger_control.ros.diagnostics import Health, Level
from charger_control.ros.interfaces import (
    BIND_TRANSACTION,
    CONFIGURATION,
    CONTROL_PILOT,
    DECISION,
    LIMIT_HW,
    METER,
    TRANSACTION,
)
from charger_control.ros.node import Answer, BlockNode
from charger_control.ros.parameters import Param
from charger_control.ros.runner import run
from charger_control.store import Store, StoreError, moment, store_file

RECENT = 50
"""Sessions whose times may have to be set right, once the wall clock is."""
LONGEST_ID = 36
"""Characters of a transaction id (OCPP 2.0.1, identifierString[36])."""

PARAMS = (
    Param('power_domain_name', '', 'name of the supply that this charger shares, for clients'),
    Param('controller_name', '', "name of this charger, for clients; '': its namespace"),
    Param('has_phase_shutoff', False, 'this charge point can switch to one phase'),
    Param('has_phase_turnon', False, 'it can go back to three phases while charging'),
    Param('max_power', 55200.0, 'the most this charge point can carry: a register that runs '
          'faster is not believed', 'W', low=1380.0, high=1e6),
    Param('max_gap', 300.0, 'time without knowledge of the vehicle after which it may be another '
          'one, and a new session begins', 's', low=0.0, high=86400.0),
    Param('save_period', 10.0, 'time between two records of a running session', 's', low=1.0,
          high=300.0),
    Param('start_time', 60.0, 'time that a vehicle may take to begin to charge, before it is '
          'SuspendedEV', 's', low=0.0, high=600.0),
    Param('unplug_time', 2.5, 'time for which the control pilot must say A until the vehicle is '
          'gone; a shorter A ends no session', 's', low=0.0, high=30.0),
    Param('pilot_silence', 2.0, 'silence of the control pilot until Faulted', 's', low=0.2,
          high=10.0),
    Param('state_dir', '', "folder of the store; '': ~/.local/state/charger_control/<namespace>"),
    Param('rate', 1.0, 'how often the transaction is repeated', 'Hz', low=0.5, high=10.0),
)


def config_of(values: dict[str, Any], namespace: str = '') -> core.SessionConfig:
    """The block's configuration from the parameters."""
    return core.SessionConfig(
        power_domain_name=values['power_domain_name'],
        controller_name=values['controller_name'] or namespace.strip('/') or 'charger',
        has_phase_shutoff=values['has_phase_shutoff'],
        has_phase_turnon=values['has_phase_turnon'], max_power=values['max_power'],
        max_gap=values['max_gap'], save_period=values['save_period'],
        start_time=values['start_time'], unplug_time=values['unplug_time'],
        pilot_silence=values['pilot_silence'])


class Session(BlockNode):
    """Publishes transaction and configuration at its rate and on each change; keeps sessions."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('session', PARAMS, **kwargs)
        self._session = core.Session(self.checked(
            lambda values: config_of(values, self.get_namespace())),
                                     lambda: str(uuid.uuid4()))
        self._unsaved: dict[str, tuple[core.SessionRecord, Future[None]]] = {}
        self._trouble = ''
        self._pilot_key: tuple[object, ...] = ()
        self._decision_key: tuple[object, ...] = ()
        self._hardware = math.nan
        self._published = Transaction()
        self._publish_transaction = self.publisher(TRANSACTION)
        self._publish_configuration = self.publisher(CONFIGURATION)
        clock = self._simulated_moment if self.get_parameter('use_sim_time').value else moment
        self._store = Store(store_file(self.values['state_dir'], self.get_namespace()),
                            clock=clock)
        self._restore()
        self.hear(CONTROL_PILOT, self._on_pilot)
        self.hear(METER, self._session.hear_meter)
        self.hear(DECISION, self._on_decision)
        self.hear(LIMIT_HW, self._on_hardware)
        self.serve(BIND_TRANSACTION, self._on_bind)
        self.every(self.values['rate'], self._repeat)
        self._repeat()

    def _simulated_moment(self) -> Moment:
        return Moment('', self.now(), self.wall(), True)

    def _restore(self) -> None:
        try:
            recent = self._store.sessions(RECENT)
            others = [r for r in self._store.open_sessions() if r not in recent[:1]]
        except StoreError as error:
            self._trouble = str(error)
            self.get_logger().error(self._trouble)
            return
        self._save(self._session.restore(recent[0] if recent else None, others, recent))

    # -- inputs ----------------------------------------------------------------------------------
    def _on_pilot(self, heard: Heard[Any]) -> None:
        self._session.hear_pilot(heard)
        pilot = heard.value
        key = (pilot.charge_controller_status, pilot.signaled_amperage > 0.0, pilot.fault)
        if key != self._pilot_key:
            self._pilot_key = key
            self._step()

    def _on_decision(self, heard: Heard[Any]) -> None:
        self._session.hear_decision(heard)
        decision = heard.value
        key = (decision.limit_source, decision.phases, decision.commanded_amperage > 0.0)
        if key != self._decision_key:
            self._decision_key = key
            self._step()

    def _on_hardware(self, heard: Heard[AmperageLimit]) -> None:
        self._session.hear_hardware(heard)
        if heard.value.amperage != self._hardware:
            self._hardware = heard.value.amperage
            self._publish_configuration(self._session.configuration(self.now()))

    def _on_bind(self, request: Any, answer: Answer) -> None:
        """Binds at once, and answers when it is on the disk."""
        given = request.ocpp_transaction_id
        if len(given) > LONGEST_ID or not given.isprintable():
            answer(success=False, code='OutOfRange', message=f'ocpp_transaction_id {given[:80]!r} '
                   f'(allowed: at most {LONGEST_ID} printable characters; none takes it back)')
            return
        records = self._session.bind(given, self._store.present)
        if not records:
            answer(success=False, code='NoTransaction', message='no charging session runs that '
                   'could have this id: bind it once a vehicle is connected')
            return
        written, = self._save(records)
        self._publish()
        written.add_done_callback(lambda done: answer(**_bound(done)))

    # -- the step --------------------------------------------------------------------------------
    def _step(self) -> None:
        """One step of the core; a change of more than the register is published at once."""
        self._save(self._session.step(self._store.present))
        transaction = self._session.transaction
        if replace(transaction, meter_stop=0.0) != replace(self._published, meter_stop=0.0):
            self._publish()

    def _repeat(self) -> None:
        self._save(self._session.step(self._store.present))
        self._publish()
        self._save(record for record, future in list(self._unsaved.values())
                   if future.done() and future.exception() is not None)

    def _publish(self) -> None:
        self._published = self._session.transaction
        self._publish_transaction(self._published)
        self._publish_configuration(self._session.configuration(self.now()))

    # -- the store -------------------------------------------------------------------------------
    def _save(self, records: Iterable[core.SessionRecord]) -> list[Future[None]]:
        """Writes records; what the store refuses is written again with the next step."""
        written = []
        for record in records:
            written.append(self._store.put_session(record))
            self._unsaved[record.transaction.session_id] = (record, written[-1])
        for name, (_, future) in list(self._unsaved.items()):
            if future.done() and future.exception() is None:
                del self._unsaved[name]
        return written

    def health(self) -> list[Health]:
        """The session, and the store."""
        transaction, problem = self._session.transaction, self._trouble or self._store.problem()
        refused = self._session.refused_registers
        energy = transaction.meter_stop - transaction.meter_start
        return [
            Health('session', Level.WARN if refused else Level.OK,
                   'the meter register does not fit, energy is estimated from power' if refused
                   else transaction.state,
                   {'session_id': transaction.session_id, 'energy_kwh': f'{energy:.3f}',
                    'refused_registers': refused}),
            Health('store', Level.ERROR if problem else Level.OK, problem or 'OK',
                   {'file': self._store.file, 'unsaved': len(self._unsaved)}),
        ]

    def close(self) -> None:
        """Writes the last state of the session."""
        self._save(self._session.last_word(self._store.present))
        self._store.close()


def _bound(written: Future[None]) -> dict[str, Any]:
    """The answer to a binding that took effect."""
    error = written.exception()
    if error is None:
        return {'success': True, 'code': 'OK', 'message': ''}
    return {'success': True, 'code': 'UntilRestart',
            'message': f'the id holds until restart only: {error}'}


def main() -> int:
    """Runs the node in its own process."""
    return run([Session])
