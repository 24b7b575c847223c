"""Several chargers behind one bridge: which one a path is about, and all of them at a glance.

A charger's own paths are those of a bridge that has no other one, below ``/chargers/<name>`` (page,
API and frames) and ``/api/v1/chargers/<name>``. Paths without a name are those of the default one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from charger_control.bridges.graph.asking import LimitsWriter, NodeWriter
from charger_control.bridges.graph.documents import Json
from charger_control.bridges.graph.errors import RequestError, echo
from charger_control.bridges.graph.history import History
from charger_control.bridges.graph.state import (
    CHARGING,
    CONFIGURATION,
    DECISION,
    PILOT,
    TRANSACTION,
    State,
)
from charger_control.bridges.web.routes.answers import API, json_response
from charger_control.bridges.web.server.fanout import Fanout

CHARGER = 'charger_control.charger'
"""Key in the WSGI environ of the charger that is asked."""
NAME = re.compile(r'[A-Za-z0-9_.]{1,64}')
"""What a charger's name in a path is made of; that of a ROS namespace, with dots for slashes."""
MOUNTED, LISTED = '/chargers/', f'{API}/chargers/'
SOCKET = '/ws'

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Charger:
    """One charger, as the web thread has it.

    Attributes:
        name: in paths.
        state: what was heard of it.
        fanout: its WebSocket clients.
        history: its last half hour.
        write: sets its limits.
        smart_charging, session: have its nodes do something.
    """

    name: str
    state: State
    fanout: Fanout
    history: History
    write: LimitsWriter
    smart_charging: NodeWriter
    session: NodeWriter


def asked() -> Charger:
    """The charger that the request is about."""
    one: Charger = request.environ[CHARGER]
    return one


class Dispatch:
    """A WSGI application in front of another: finds the charger, and strips its name."""

    def __init__(self, app: Wsgi, chargers: Mapping[str, Charger]) -> None:
        """``chargers``: by name, the default one first."""
        self._app, self._chargers = app, chargers
        self._default = next(iter(chargers.values()))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Has the other answer."""
        environ[CHARGER] = self._default
        path = environ['PATH_INFO']
        if path.startswith(MOUNTED):
            self._enter(environ, MOUNTED, '')
        elif path.startswith(LISTED):
            self._enter(environ, LISTED, API)
        return self._app(environ, start_response)

    def _enter(self, environ: dict[str, Any], prefix: str, inside: str) -> None:
        name, slash, rest = environ['PATH_INFO'].removeprefix(prefix).partition('/')
        one = self._chargers.get(name)
        if one is None or not slash or (inside and not rest):
            return   # not known, or the charger as a whole: routes of their own
        environ[CHARGER] = one
        path = f'{inside}/{rest}'
        # SCRIPT_NAME and PATH_INFO together stay what was asked, but for the shorter API
        if not inside:
            environ['SCRIPT_NAME'] += prefix + name
        environ['PATH_INFO'] = '/api/ws' if inside and f'/{rest}' == SOCKET else path


def make_blueprint(chargers: Mapping[str, Charger], clock: Callable[[], float]) -> Blueprint:
    """The routes that are about all of them."""
    views = Blueprint('chargers', __name__)
    default = next(iter(chargers))

    @views.get(f'{API}/chargers')
    def get_chargers() -> Response:
        now = clock()
        return json_response({'default': default, 'chargers': [
            summary(one, now) for one in chargers.values()]})

    @views.get(f'{API}/chargers/<name>')
    def get_charger(name: str) -> Response:
        return json_response(summary(known(name), clock()))

    @views.get('/chargers/<name>')
    def without_slash(name: str) -> Response:
        # the links of its page are relative to the charger, as this one is, for proxies' sake
        return Response(status=308, headers={'Location': f'{known(name).name}/'})

    def known(name: str) -> Charger:
        one = chargers.get(name)
        if one is None:
            there_are = ', '.join(chargers)
            raise RequestError(404, 'NoSuchCharger', f'there is no charger {echo(name)!r}; there '
                               f'are {there_are}', field='name', value=name, allowed=there_are)
        return one

    return views


def summary(one: Charger, now: float) -> Json:
    """One charger at a glance; null where it is not known now."""
    state = one.state
    charging, transaction = state.plain(CHARGING, now), state.plain(TRANSACTION, now)
    decision = state.fresh(DECISION, now)
    age = max(state.age(CHARGING, now), state.age(PILOT, now))
    document: Json = {
        'name': one.name, 'href': f'{MOUNTED}{one.name}/',
        'controllerName': state.plain(CONFIGURATION, now)['controllerName'],
        'status': status_of(state, now),
        'age': round(age, 3) if math.isfinite(age) else None,
        'state': transaction['state'], 'vehicleStatus': transaction['vehicleStatus'],
    }
    for field in ('amperage', 'commandedAmperage', 'signaledAmperage', 'energyImported',
                  'lastActivePower'):
        document[field] = charging[field]
    document['limitSource'] = decision.limit_source if decision is not None else None
    document['reason'] = decision.reason if decision is not None else None
    document['sentence'] = state.sentence(now)
    return document


def status_of(state: State, now: float) -> str:
    """'down': controller or control pilot are silent; 'degraded': another node; else 'ok'."""
    stale = state.stale(now)
    return 'down' if CHARGING in stale or PILOT in stale else 'degraded' if stale else 'ok'
