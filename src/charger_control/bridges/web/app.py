"""The Flask application: every request passes the gate, every error is JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing.exceptions import RequestRedirect, WebsocketMismatch
from wsproto.utilities import RemoteProtocolError

from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.web.access.gate import IDENTITY, Gate
from charger_control.bridges.web.routes import ws
from charger_control.bridges.web.routes.answers import json_response

log = logging.getLogger(__name__)

HEADERS = {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
                               "base-uri 'none'; form-action 'none'",
}


def create_app(gate: Gate, clients: Callable[[], int], max_clients: int,
               clock: Callable[[], float], *routes: Blueprint) -> Flask:
    """The application; which charger it is about stands in the environ (``chargers.Dispatch``).

    Args:
        gate: who may.
        clients: how many WebSocket clients there are.
        max_clients: how many there may be at once.
        clock: s, only moves forward.
        routes: all but the WebSocket's.
    """
    app = Flask(__name__, static_folder='static')
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    @app.before_request
    def admit() -> Response | None:
        environ = request.environ
        environ[IDENTITY] = gate.admit(environ)
        if request.url_rule is not None and request.url_rule.websocket:
            # compression costs a multiple of what it saves on frames this small
            environ.pop('HTTP_SEC_WEBSOCKET_EXTENSIONS', None)
            if clients() >= max_clients:
                raise RequestError(503, 'TooManyClients', f'{max_clients} clients are connected '
                                   'already (parameter bridge.max_clients)',
                                   headers={'Retry-After': '10'})
        if request.method == 'OPTIONS' and request.url_rule is not None:
            allowed = sorted(app.make_default_options_response().allow)
            return json_response({'allow': allowed}, headers={'Allow': ', '.join(allowed)})
        return None

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    ws.register(app, clock)
    for blueprint in routes:
        app.register_blueprint(blueprint)
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RemoteProtocolError, _bad_handshake)
    app.register_error_handler(Exception, _defect)
    return app


def _error(error: RequestError) -> Response:
    return json_response({'error': error.document()}, error.status, error.headers)


def _refused(error: RequestError) -> Response:
    return _error(error)


def _http_error(error: HTTPException) -> Response:
    headers = {name: value for name, value in error.get_headers() if name == 'Allow'}
    if isinstance(error, WebsocketMismatch):
        return _error(RequestError(426, 'UpgradeRequired', f'{ws.PATH} is a WebSocket, all else '
                                   'is not', headers={'Upgrade': 'websocket'}))
    if isinstance(error, RequestRedirect):
        headers['Location'] = error.new_url
    code = (error.name or 'Error').title().replace(' ', '')
    detail = {404: f'there is no {request.path[:80]!r}; see /api/openapi.yaml',
              405: f'{request.method[:20]} is not for this path'}.get(error.code or 500)
    return _error(RequestError(error.code or 500, code, detail or error.description or code,
                               headers=headers))


def _bad_handshake(error: RemoteProtocolError) -> Response:
    return _error(RequestError(400, 'BadHandshake', f'not a WebSocket handshake: {error}'))


def _defect(error: Exception) -> Response:
    log.error('%s %s', request.method, request.path, exc_info=error)
    return _error(RequestError(500, 'Internal', 'the bridge has a defect; see its log'))
