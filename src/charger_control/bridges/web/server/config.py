"""How the web side is configured, and what of it cannot be."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from charger_control.bridges.graph.records import Records
from charger_control.bridges.web.access.credentials import (
    ENVIRONMENT,
    Credential,
    CredentialsError,
    load,
)
from charger_control.bridges.web.access.gate import is_loopback
from charger_control.bridges.web.server.server import listen


class WebConfigError(Exception):
    """The web side cannot start as configured: one line with what to do."""


class WebAddressError(WebConfigError):
    """Its address cannot be had now: taken, or not yet there. It may be later."""


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How to serve.

    Attributes:
        host: name or address to bind.
        port: 0 takes any free one.
        auth: 'auto' (open on loopback unless there are credentials), 'required', 'none'.
        credentials_file: '' takes the environment's.
        max_clients: WebSocket clients at once.
        max_rate: charging frames per s to each, at the most.
        certificate_file, key_file: PEM; '' serves plain HTTP, or looks for the key in the
            certificate's.
        log_file: JSON lines of requests and writes; '' for none.
        allowed_hosts, allowed_origins: further Host and Origin headers that are let in.
    """

    host: str = '127.0.0.1'
    port: int = 8080
    auth: str = 'auto'
    credentials_file: str = ''
    max_clients: int = 100
    max_rate: float = 10.0
    certificate_file: str = ''
    key_file: str = ''
    log_file: str = ''
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


def bound(config: WebConfig) -> socket.socket:
    """The listening socket; WebConfigError if there can be none, WebAddressError if there may be
    one later."""
    try:
        return listen(config.host, config.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, 'strerror', '') or str(error)
        where = f'{config.host}:{config.port}'
        hint = {
            'Address already in use': 'another program listens there: stop it '
            f'(ss -ltnp sport = :{config.port}), or set the parameter bridge.port to another '
            'port (0: any free one)',
            'Permission denied': 'ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one',
        }.get(reason, 'set bridge.host to an address of this machine, e.g. '
              '127.0.0.1')
        kind = WebConfigError if isinstance(error, (UnicodeError, PermissionError)) else (
            WebAddressError)
        raise kind(f'bridge: cannot listen on {where} ({reason}): {hint}') from error


def credentials_of(config: WebConfig, address: str) -> dict[str, Credential]:
    """Who is known; WebConfigError where the bridge would be open to others by accident."""
    if config.auth == 'none':
        return {}
    try:
        found = load(config.credentials_file)
    except CredentialsError as error:
        raise WebConfigError(f'bridge.credentials_file: {error}') from error
    if not found and (config.auth == 'required' or not is_loopback(address)):
        why = ('bridge.auth is required' if config.auth == 'required' else
               f'bridge.host {config.host} is reached from other machines')
        raise WebConfigError(
            f'bridge: {why} and there are no credentials: make a file (charger '
            f'credentials NAME) and name it in bridge.credentials_file, or set {ENVIRONMENT}'
            "; to let everybody in the network set limits, say auth: 'none'")
    return found


def records_of(config: WebConfig) -> Records:
    """The log file; WebConfigError if it cannot be written."""
    try:
        return Records(config.log_file)
    except OSError as error:
        raise WebConfigError(f'bridge.log_file: cannot write {config.log_file} '
                             f'({error.strerror}); name a file in a directory that is '
                             'there and writable, or none') from error
