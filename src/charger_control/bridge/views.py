"""What is ours beside the contract's documents: the page, its history, metrics, the contract."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from charger_control.bridge.gate import IDENTITY, Identity
from charger_control.bridge.history import History
from charger_control.bridge.metrics import CONTENT_TYPE, Metrics
from charger_control.bridge.rest import PREFIX, json_response
from charger_control.bridge.state import State

HERE = Path(__file__).parent


def make_blueprint(state: State, history: History, metrics: Metrics) -> Blueprint:
    """The routes."""
    views = Blueprint('views', __name__)

    @views.get('/')
    def index() -> Response:
        return send_from_directory(HERE / 'static', 'index.html')

    @views.get('/api/openapi.yaml')
    def openapi() -> Response:
        return send_from_directory(HERE, 'openapi.yaml', mimetype='application/yaml')

    @views.get(f'{PREFIX}/history')
    def get_history() -> Response:
        return Response(history.body(state.clock()), mimetype='application/json')

    @views.get(f'{PREFIX}/access')
    def get_access() -> Response:
        identity: Identity = request.environ[IDENTITY]
        return json_response({'name': identity.name, 'rights': sorted(identity.rights)})

    @views.get('/metrics')
    def get_metrics() -> Response:
        return Response(metrics.body(), content_type=CONTENT_TYPE)

    return views
