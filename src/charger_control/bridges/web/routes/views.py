"""What is ours beside the contract's documents: the pages, metrics, the contract itself."""

from __future__ import annotations

from pathlib import Path

import yaml
from flask import Blueprint, Response, request, send_from_directory

from charger_control.bridges.web.access.gate import IDENTITY, Identity
from charger_control.bridges.web.routes.answers import API, json_response
from charger_control.bridges.web.routes.metrics import CONTENT_TYPE, Metrics

HERE = Path(__file__).parents[1]
CONTRACT = 'openapi.yaml'


def make_blueprint(metrics: Metrics, several: bool) -> Blueprint:
    """The routes; ``several``: chargers are served, so that the first page is their overview."""
    views = Blueprint('views', __name__)

    def page(name: str) -> Response:
        return send_from_directory(HERE / 'static', name)

    @views.get('/')
    def index() -> Response:
        return page('overview.html' if several and not request.script_root else 'index.html')

    @views.get('/api')
    def api() -> Response:
        return Response(status=308, headers={'Location': 'api/docs'})   # whatever is in front of us

    @views.get('/api/docs')
    def docs() -> Response:
        return page('docs.html')

    @views.get('/api/openapi.yaml')
    def openapi() -> Response:
        return send_from_directory(HERE, CONTRACT, mimetype='application/yaml')

    @views.get('/api/openapi.json')
    def openapi_json() -> Response:
        return json_response(yaml.safe_load((HERE / CONTRACT).read_text('utf-8')))

    @views.get(f'{API}/access')
    def get_access() -> Response:
        identity: Identity = request.environ[IDENTITY]
        return json_response({'name': identity.name, 'rights': sorted(identity.rights)})

    @views.get('/metrics')
    def get_metrics() -> Response:
        return Response(metrics.body(), content_type=CONTENT_TYPE)

    return views
