"""REST: the same documents as the WebSocket's frames, and the limits to set."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.limits_input import parse_body
from charger_control.bridges.graph.state import DECISION, DOCUMENTS, SOURCES, State
from charger_control.bridges.web.access.gate import IDENTITY
from charger_control.bridges.web.routes.answers import API, body_of_request, json_response
from charger_control.bridges.web.routes.chargers import asked, status_of
from charger_control.bridges.web.server.fanout import Fanout


def make_blueprint() -> Blueprint:
    """The routes under API that are about one charger."""
    api = Blueprint('api', __name__, url_prefix=API)

    @api.get(f'/<any({",".join(DOCUMENTS)}):topic>')
    def get_document(topic: str) -> Response:
        state = asked().state
        document = state.document(topic, state.clock())
        document.demand()
        response = Response(document.body, mimetype='application/json')
        response.headers['Age'] = str(int(document.age))
        return response

    @api.put('/limits')
    def put_limits() -> Response:
        # any content type: curl sends a form's, evcc and others none
        change = parse_body(body_of_request())
        warning = asked().write(replace(change, client=f'{request.environ[IDENTITY]} (REST)'))
        return json_response({'warning': warning}) if warning else Response(status=204)

    @api.get('/health')
    def get_health() -> Response:
        one = asked()
        document = health(one.state, one.fanout, one.state.clock())
        return json_response(document, 503 if document['status'] == 'down' else 200)

    @api.get('/history')
    def get_history() -> Response:
        one = asked()
        return Response(one.history.body(one.state.clock()), mimetype='application/json')

    return api


def health(state: State, fanout: Fanout, now: float) -> documents.Json:
    """How the bridge and what it hears from do, for orchestrators and people."""
    stale = state.stale(now)
    status = status_of(state, now)
    decision = state.fresh(DECISION, now)
    return {
        'status': status,
        'stale': status == 'down',
        'silentNodes': sorted({SOURCES[topic][0] for topic in stale}),
        'topics': {topic: _topic(state, topic, now, topic in stale) for topic in SOURCES},
        'decision': documents.decision(decision) if decision is not None else None,
        'sentence': state.sentence(now),
        'clients': len(fanout.clients),
    }


def _topic(state: State, topic: str, now: float, stale: bool) -> dict[str, Any]:
    age = state.age(topic, now)
    return {'age': round(age, 3) if math.isfinite(age) else None, 'stale': stale}
