"""What is read of a request, and how the bridge answers in JSON."""

from __future__ import annotations

from flask import Response, request

from charger_control.bridges.graph import documents
from charger_control.bridges.graph.errors import RequestError

API = '/api/v1'


def json_response(document: documents.Json, status: int = 200,
                  headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(documents.encode(document), status, headers, mimetype='application/json')


def body_of_request() -> bytes:
    """The body; RequestError 400 if its sender ended it early."""
    try:
        return request.get_data(cache=False)
    except OSError as error:
        raise RequestError(400, 'Incomplete', 'the body is shorter than its Content-Length says'
                           ) from error
