"""Who gets in: Host and Origin against browsers gone astray, credentials and rights.

Works on a WSGI environ alone, so that every way to an answer passes the same gate.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gevent.threadpool import ThreadPool

from charger_control.bridges.graph.bucket import Bucket
from charger_control.bridges.graph.errors import RequestError
from charger_control.bridges.web.access.credentials import (
    RIGHTS,
    Credential,
    cost_of,
    hash_secret,
    matches,
)

IDENTITY = 'charger_control.identity'
"""Key in the WSGI environ of who asks."""
SAFE_METHODS = ('GET', 'HEAD', 'OPTIONS')
REMEMBERED = 64
"""Verified credentials kept, so that a request does not cost a key derivation."""
FAILURE_RATE, FAILURE_BURST = 1.0 / 6.0, 10.0
"""Wrong credentials per s and at once that one address may try."""
WATCHED = 1024
"""Addresses whose failures are counted."""
MAX_VERIFYING = 8
"""Credentials that may wait for their verification; one is verified at a time."""
CHALLENGE = {'WWW-Authenticate': 'Basic realm="charger_control", charset="UTF-8", '
                                 'Bearer realm="charger_control"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        name: of the credential; '' where none is needed.
        address: of the peer.
        rights: of RIGHTS.
    """

    name: str
    address: str
    rights: frozenset[str]

    def demand(self, right: str) -> None:
        """RequestError unless this right is there."""
        if right not in self.rights:
            raise RequestError(403, 'Forbidden', f'{self.name} may {" and ".join(self.rights)}, '
                               f'not {right}; its rights are set in the credentials file')

    def __str__(self) -> str:
        return f'{self.name}@{self.address}' if self.name else self.address


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an IP address."""
    return ipaddress.ip_address(address.partition('%')[0]).is_loopback


class Gate:
    """Decides about every request before anything else looks at it."""

    def __init__(self, address: str, credentials: Mapping[str, Credential],
                 clock: Callable[[], float], allowed_hosts: tuple[str, ...] = (),
                 allowed_origins: tuple[str, ...] = ()) -> None:
        """``address``: the IP address that is bound; no credentials: everybody may everything."""
        self._credentials = credentials
        self._clock = clock
        self._loopback = is_loopback(address)
        self._hosts = {h.lower() for h in allowed_hosts} | {'localhost'}
        if not self._loopback:
            own = socket.gethostname().lower()
            self._hosts |= {own, f'{own}.local'}
        self._origins = {o.lower() for o in allowed_origins}
        self._salt = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, str] = OrderedDict()
        self._failures: OrderedDict[str, Bucket] = OrderedDict()
        costs = [cost_of(credential.hash) for credential in credentials.values()]
        self._nobody = hash_secret(secrets.token_urlsafe(), max(costs)) if costs else ''
        self._verifying = 0
        self._pool: ThreadPool | None = None

    def admit(self, environ: dict[str, Any]) -> Identity:
        """Who asks, with the right to do it.

        Raises:
            RequestError: 400, 401, 403 or 429.
        """
        self._check_host(environ.get('HTTP_HOST', ''))
        safe = environ['REQUEST_METHOD'] in SAFE_METHODS
        upgrade = environ.get('HTTP_UPGRADE', '').lower() == 'websocket'
        if not safe or upgrade:   # a browser would let any page send these
            self._check_origin(environ.get('HTTP_ORIGIN', ''), environ.get('HTTP_HOST', ''))
        identity = self._identify(environ)
        identity.demand('read' if safe else 'write')
        return identity

    def close(self) -> None:
        """Ends the thread that verifies."""
        if self._pool is not None:
            self._pool.kill()

    # -- browsers ---------------------------------------------------------------------------------
    def _check_host(self, host: str) -> None:
        """Stops DNS rebinding: a page of another name that resolves to this address."""
        if not host or (self._credentials and not self._loopback):
            return   # no browser leaves it out; with credentials a rebound page has none
        name = _without_port(host)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            known = name in self._hosts
        else:
            known = address.is_loopback or not self._loopback or name in self._hosts
        if not known:
            raise RequestError(403, 'UnknownHost', f'Host {host[:80]!r} is not a name of this '
                               'charger; ask by its address, or add the name to the parameter '
                               'bridge.allowed_hosts')

    def _check_origin(self, origin: str, host: str) -> None:
        if not origin or origin.lower() in self._origins:
            return
        scheme, _, netloc = origin.lower().partition('://')
        default = {'http': ':80', 'https': ':443'}.get(scheme, '')
        if not netloc or netloc.removesuffix(default) != host.lower().removesuffix(default):
            raise RequestError(403, 'ForeignOrigin', f'a page of {origin[:80]!r} may not do that; '
                               'if it shall, add it to the parameter bridge.allowed_origins')

    # -- credentials ------------------------------------------------------------------------------
    def _identify(self, environ: dict[str, Any]) -> Identity:
        address = environ.get('REMOTE_ADDR', '')
        if not self._credentials:
            return Identity('', address, frozenset(RIGHTS))
        given = environ.get('HTTP_AUTHORIZATION', '')
        if not given:
            raise RequestError(401, 'Unauthorized', 'credentials are needed: Basic, or Bearer '
                               'with name.secret', headers=CHALLENGE)
        key = hmac.digest(self._salt, given.encode(), hashlib.sha256)
        name = self._verified.get(key)
        if name is None:
            name = self._verify(given, address)
            self._verified[key] = name
            if len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        return Identity(name, address, self._credentials[name].rights)

    def _verify(self, given: str, address: str) -> str:
        name, secret = _parse(given)
        failures = self._failures.setdefault(address, Bucket(FAILURE_RATE, FAILURE_BURST,
                                                             self._clock()))
        if len(self._failures) > WATCHED:
            self._failures.popitem(last=False)
        if self._verifying >= MAX_VERIFYING or not failures.take(self._clock()):
            raise RequestError(429, 'TooManyFailures', 'too many wrong credentials; try again '
                               'later', headers={'Retry-After': '10'})
        known = self._credentials.get(name)
        # an unknown name costs what a known one does
        if self._pool is None:
            self._pool = ThreadPool(1)
        self._verifying += 1
        try:
            right = self._pool.apply(matches, (secret, known.hash if known else self._nobody))
        finally:
            self._verifying -= 1
        if not right or known is None:
            raise RequestError(401, 'Unauthorized', 'these credentials are not known',
                               headers=CHALLENGE)
        failures.give()
        return known.name


def _without_port(host: str) -> str:
    host = host.lower().strip()
    if host.startswith('['):
        return host[1:].partition(']')[0]
    return host.rpartition(':')[0] if host.count(':') == 1 else host


def _parse(given: str) -> tuple[str, str]:
    """Name and secret of an Authorization header; ('', ...) where it has none."""
    scheme, _, rest = given.partition(' ')
    if scheme.lower() == 'bearer':
        name, _, secret = rest.strip().partition('.')
        return name, secret
    if scheme.lower() == 'basic':
        try:
            text = base64.b64decode(rest.strip(), validate=True).decode()
        except ValueError:
            return '', ''
        name, _, secret = text.partition(':')
        return name, secret
    return '', ''
