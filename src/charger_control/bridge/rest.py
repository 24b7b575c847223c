"""REST: the same documents as the WebSocket's frames, and the limits to set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from charger_control.bridge import documents
from charger_control.bridge.fanout import Fanout
from charger_control.bridge.gate import IDENTITY
from charger_control.bridge.limits_input import parse_body
from charger_control.bridge.state import (
    CHARGING,
    CONFIGURATION,
    DECISION,
    LIMITS,
    PILOT,
    SOURCES,
    TRANSACTION,
    State,
)
from charger_control.bridge.ws import Write

PREFIX = '/api/v1'


def json_response(document: documents.Json, status: int = 200,
                  headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(documents.encode(document), status, headers, mimetype='application/json')


def make_blueprint(state: State, fanout: Fanout, write: Write) -> Blueprint:
    """The routes under PREFIX."""
    api = Blueprint('api', __name__, url_prefix=PREFIX)

    def answer(topic: str) -> Response:
        document = state.document(topic, state.clock())
        document.demand()
        response = Response(document.body, mimetype='application/json')
        response.headers['Age'] = str(int(document.age))
        return response

    @api.get('/charging')
    def get_charging() -> Response:
        return answer(CHARGING)

    @api.get('/configuration')
    def get_configuration() -> Response:
        return answer(CONFIGURATION)

    @api.get('/transaction')
    def get_transaction() -> Response:
        return answer(TRANSACTION)

    @api.get('/limits')
    def get_limits() -> Response:
        return answer(LIMITS)

    @api.put('/limits')
    def put_limits() -> Response:
        # any content type: curl sends a form's, evcc and others none
        change = parse_body(request.get_data(cache=False))
        warning = write(replace(change, client=f'{request.environ[IDENTITY]} (REST)'))
        return json_response({'warning': warning}) if warning else Response(status=204)

    @api.get('/health')
    def get_health() -> Response:
        now = state.clock()
        document = health(state, fanout, now)
        return json_response(document, 503 if document['status'] == 'down' else 200)

    return api


def health(state: State, fanout: Fanout, now: float) -> documents.Json:
    """How the bridge and what it hears from do, for orchestrators and people."""
    stale = state.stale(now)
    down = CHARGING in stale or PILOT in stale
    decision = state.fresh(DECISION, now)
    return {
        'status': 'down' if down else 'degraded' if stale else 'ok',
        'stale': down,
        'silentNodes': sorted({SOURCES[topic][0] for topic in stale}),
        'topics': {topic: _topic(state, topic, now, topic in stale) for topic in SOURCES},
        'decision': documents.decision(decision) if decision is not None else None,
        'clients': len(fanout.clients),
    }


def _topic(state: State, topic: str, now: float, stale: bool) -> dict[str, Any]:
    age = state.age(topic, now)
    return {'age': round(age, 3) if math.isfinite(age) else None, 'stale': stale}
