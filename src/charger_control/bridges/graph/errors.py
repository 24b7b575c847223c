"""What a client did wrong, or what could not be done for it, as every surface says it."""

from __future__ import annotations

import math
from typing import Any

LONGEST_ECHO = 80
"""Characters of a client's own value that an error repeats."""


class RequestError(Exception):
    """A request that is refused: REST answers ``status``, a WebSocket client gets an error frame.

    Attributes:
        status: HTTP status.
        code: one word for programs, e.g. 'OutOfRange'.
        detail: one line for a person: what, its value, what is allowed or what to do.
        field, value, allowed: the field concerned, as the client spelled it, if it is about one.
        headers: HTTP headers that go with the answer.
    """

    def __init__(self, status: int, code: str, detail: str, *, field: str = '', value: Any = None,
                 allowed: str = '', headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.value = value
        self.allowed = allowed
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """The JSON object that says so."""
        document: dict[str, Any] = {'code': self.code, 'detail': self.detail}
        if self.field:
            document |= {'field': self.field, 'value': echo(self.value), 'allowed': self.allowed}
        return document


def echo(value: Any) -> Any:
    """A client's value as strict JSON may repeat it: short, finite, not nested."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, int):
        return 'an integer of more than 53 bits'
    if isinstance(value, list | dict):   # its repr may be deep, and say nothing
        return 'a list' if type(value) is list else 'an object'
    text = str(value)
    return text if len(text) <= LONGEST_ECHO else text[:LONGEST_ECHO] + '…'
