"""Dimming over REST: the heartbeat of a grid operator or an energy manager, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.asking import Call, NodeWriter
from charger_control.bridges.graph.errors import RequestError, echo
from charger_control.bridges.graph.json_input import JsonObject, kind_of, loads
from charger_control.bridges.graph.state import GONE, Entry
from charger_control.bridges.web.access.gate import IDENTITY
from charger_control.bridges.web.routes.answers import API, body_of_request, json_response
from charger_control.core.messages.budget import TeamBudget

PATH = f'{API}/vcse/dimming'
SERVICE = 'set_dimming'
ALLOWED = '0 or more (W, finite), or null for no limit now'
MOST = 1e9
"""W; more is a slip of the unit."""
STATUS = {'OutOfRange': 400, 'NotConfigured': 409}
"""HTTP status of the codes of SetDimming."""


class Supply:
    """What the bridge knows of the team's supply: its budget, and the heartbeats it passed on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock``: s, only moves forward and counts through suspend."""
        self.clock = clock
        self._budget: Entry | None = None
        self._power = math.nan
        self._until = 0.0

    def put(self, budget: TeamBudget) -> None:
        """Takes a budget that was heard now; the ROS thread."""
        self._budget = Entry(budget, self.clock(), 0)

    def accepted(self, power: float, timeout: float) -> None:
        """Keeps a heartbeat that the vcse node took for ``timeout`` s."""
        self._power, self._until = power, self.clock() + timeout

    def document(self) -> tuple[documents.Json, float]:
        """What is in force, and how old it is (s); RequestError 503 while it is not known."""
        now = self.clock()
        entry = self._budget
        age = math.inf if entry is None else max(0.0, now - entry.at)
        if entry is None or age > GONE:
            raise RequestError(503, 'NotKnown', 'the supply is not known: node vcse '
                               + ('was not heard yet' if entry is None else
                                  f'has been silent for {age:.0f} s'), headers={'Retry-After': '1'})
        budget: TeamBudget = entry.value
        left = max(0.0, self._until - now)
        return {
            'power': documents.number(self._power) if left else None,
            'expiresIn': round(left * 1e3),
            'amperage': [documents.number(a) for a in budget.amperage],
            'reason': budget.reason,
        }, age

    def now_set(self) -> documents.Json:
        """The last heartbeat of this bridge, for the record."""
        left = self._until > self.clock()
        return {'power': documents.number(self._power) if left else None, 'inForce': left}


def make_blueprint(supply: Supply, vcse: NodeWriter) -> Blueprint:
    """The routes."""
    api = Blueprint('dimming', __name__)

    @api.get(PATH)
    def get_dimming() -> Response:
        document, age = supply.document()
        return json_response(document, headers={'Age': str(int(age))})

    @api.put(PATH)
    def put_dimming() -> Response:
        power = parse(body_of_request())
        who = f'{request.environ[IDENTITY]} (REST)'
        answer = vcse(Call(SERVICE, {'power': power, 'client': who}), 'dimming', who,
                      supply.now_set(), {'power': documents.number(power)}, STATUS, 500)
        supply.accepted(power, answer.timeout)
        return json_response({'timeout': round(answer.timeout * 1e3)})

    return api


def parse(body: bytes) -> float:
    """W of a heartbeat, NaN for no limit; RequestError 400 for what is none."""
    document = loads(body)
    if not isinstance(document, JsonObject):
        raise RequestError(400, 'NotAnObject', f'the body is {kind_of(document)}; it has to be a '
                           'JSON object like {"power": 4200}')
    if [name for name, _ in document] != ['power']:
        unknown = next((name for name, _ in document if name != 'power'), 'power')
        raise RequestError(400, 'UnknownField', 'the body has to be {"power": …}, once, and '
                           'nothing else', field=str(echo(unknown)),
                           value=dict(document).get(unknown), allowed='power')
    value: Any = document[0][1]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise RequestError(400, 'OutOfRange', f'power = {echo(value)!r}: allowed is {ALLOWED}',
                           field='power', value=value, allowed=ALLOWED)
    return float(value)
