"""The few documents that are asked for all the time, answered before Flask is.

Same gate, same bytes, same headers and the same log as the rest; only routing and the request and
answer objects are spared. Whatever is not plainly such a request goes on to Flask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from charger_control.bridges.graph.documents import encode
from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.graph.state import DOCUMENTS
from charger_control.bridges.web.access.gate import IDENTITY, Gate
from charger_control.bridges.web.routes.answers import API
from charger_control.bridges.web.routes.chargers import CHARGER

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ShortCut:
    """A WSGI application in front of another."""

    def __init__(self, app: Wsgi, gate: Gate, headers: Mapping[str, str]) -> None:
        """``headers``: on every answer."""
        self._app, self._gate = app, gate
        self._topics = {f'{API}/{topic}': topic for topic in DOCUMENTS}
        self._headers = [('Content-Type', 'application/json'), *headers.items()]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answers, or has the other answer."""
        topic = self._topics.get(environ['PATH_INFO'])
        if (topic is None or environ['REQUEST_METHOD'] != 'GET' or 'HTTP_UPGRADE' in environ
                or environ.get('CONTENT_LENGTH', '0') not in ('', '0')):
            return self._app(environ, start_response)
        try:
            environ[IDENTITY] = self._gate.admit(environ)
            state = environ[CHARGER].state
            document = state.document(topic, state.clock())
            document.demand()
        except RequestError as error:
            return self._refuse(error, start_response)
        start_response('200 OK', [*self._headers, ('Content-Length', str(len(document.body))),
                                  ('Age', str(int(document.age)))])
        return [document.body]

    def _refuse(self, error: RequestError, start_response: Any) -> Iterable[bytes]:
        body = encode({'error': error.document()})
        start_response(f'{error.status} {HTTPStatus(error.status).phrase}', [
            *self._headers, *error.headers.items(), ('Content-Length', str(len(body)))])
        return [body]
