"""The one thing a scenario does to the charger from outside: a PUT of limits, as an app would."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

_TIMEOUT = 5.0


def put_limits(api: str, body: Mapping[str, Any],
               answered: Callable[[dict[str, object]], None]) -> None:
    """Puts ``body`` to /api/v1/limits of ``api`` on a thread of its own.

    ``answered`` is called on that thread with ``status`` (HTTP), or with ``error`` in words.
    """
    request = urllib.request.Request(
        f'{api.rstrip("/")}/api/v1/limits', data=json.dumps(body).encode(), method='PUT',
        headers={'Content-Type': 'application/json'})

    def put() -> None:
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                answered({'status': response.status})
        except urllib.error.HTTPError as error:
            answered({'status': error.code})
        except OSError as error:
            answered({'error': str(error)})

    threading.Thread(target=put, name='put_limits', daemon=True).start()
