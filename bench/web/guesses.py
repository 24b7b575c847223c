"""Whether the time of a refusal tells how much of a guess was right.

Guesses of three kinds in random order at the gate itself, where nothing else takes time: names that
are not known, secrets of which nothing is right, and secrets of which all but the end is. Welch's t
beyond 4.5 is the usual sign of a leak.
"""

from __future__ import annotations

import base64
import math
import random
import statistics
import time

from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.web.access.credentials import Credential, hash_secret
from charger_control.bridges.web.access.gate import Gate

COST = (1024, 8, 1)
"""A cheap hash: what it takes is the same for every guess, and would hide what is not."""
SECRET = 'a-secret-of-some-length-0123456789'
GUESSES = {'unknown': ('bob', SECRET), 'wrong': ('ann', 'x' * len(SECRET)),
           'nearly': ('ann', SECRET[:-1] + 'x')}


def measure(rounds: int = 400) -> dict[str, float]:
    """Median µs of each kind, and the largest t between two of them."""
    known = {'ann': Credential('ann', frozenset({'read'}), hash_secret(SECRET, COST))}
    gate = Gate('127.0.0.1', known, time.monotonic)
    times: dict[str, list[float]] = {kind: [] for kind in GUESSES}
    order = [kind for kind in GUESSES for _ in range(rounds)]
    random.Random(1).shuffle(order)
    for kind in order:
        text = ':'.join(GUESSES[kind]).encode()
        environ = {'REQUEST_METHOD': 'GET', 'REMOTE_ADDR': '192.0.2.1', 'HTTP_AUTHORIZATION':
                   'Basic ' + base64.b64encode(text).decode()}
        start = time.perf_counter()
        try:
            gate.admit(environ)
        except RequestError:
            times[kind].append((time.perf_counter() - start) * 1e6)
        gate._failures.clear()
    gate.close()
    # the slowest tenth is what else the machine did
    kept = {kind: sorted(values)[:len(values) * 9 // 10] for kind, values in times.items()}
    kinds = list(kept.values())
    most = max(abs(welch(a, b)) for i, a in enumerate(kinds) for b in kinds[i + 1:])
    return {**{f'{kind}_us': statistics.median(values) for kind, values in kept.items()},
            'largest_t': most}


def welch(a: list[float], b: list[float]) -> float:
    """Welch's t of two samples."""
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.mean(a) - statistics.mean(b)) / math.sqrt(spread)
