"""What the bridge refuses at its start, found out without starting it or taking its port."""

from __future__ import annotations

import socket
from typing import Any

from charger_control.bridges.web.node import config_of, namespaces_of
from charger_control.bridges.web.server.config import WebConfig, WebConfigError, credentials_of
from charger_control.bridges.web.server.tls import certificate_of


def check(values: dict[str, Any]) -> None:
    """Looks at what the checked parameters name: addresses, certificates, credentials.

    Raises:
        WebConfigError, ParameterError: as the bridge itself says it.
    """
    namespaces_of(values['chargers'])
    config = config_of(values)
    certificate_of(config)
    credentials_of(config, _address_of(config))


def _address_of(config: WebConfig) -> str:
    try:
        return str(socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise WebConfigError(f'bridge.host = {config.host}: there is no such name or address '
                             f'({error}); set it to one of this machine, e.g. 127.0.0.1') from error
