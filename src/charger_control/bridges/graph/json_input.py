"""JSON as clients write it."""

from __future__ import annotations

import json
from typing import Any

from charger_control.bridges.graph.errors import RequestError


class JsonObject(list[tuple[str, Any]]):
    """A JSON object as written, so that a name given twice is seen."""


def loads(data: bytes) -> Any:
    """A body as JSON, NaN taken too, objects as JsonObject; RequestError 400 for what is none."""
    try:
        return json.loads(data.decode('utf-8-sig'), object_pairs_hook=JsonObject)
    except UnicodeDecodeError as error:
        why = f'byte {error.start} is not UTF-8'
    except json.JSONDecodeError as error:
        why = f'{error.msg} (line {error.lineno}, column {error.colno})'
    except RecursionError:
        why = 'it is nested too deep'
    except ValueError:   # an integer of thousands of digits
        why = 'it holds a number that is too long'
    raise RequestError(400, 'InvalidJson', f'the body is not JSON: {why}')


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return 'null'
    return {bool: 'true or false', int: 'a number', float: 'a number', str: 'a text',
            list: 'a list'}[type(value)]
