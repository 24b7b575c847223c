"""The certificate that is served, read again when its files change."""

from __future__ import annotations

import logging
from pathlib import Path

import gevent
from gevent import ssl  # the standard module's sockets would hold the web thread up

from charger_control.bridges.web.access.credentials import FORBIDDEN
from charger_control.bridges.web.server.config import WebConfig, WebConfigError

log = logging.getLogger(__name__)

LOOK_PERIOD = 10.0
"""s between looks at the files: tools renew a certificate in place, weeks before it ends."""


class Certificate:
    """A server's TLS context that follows its files."""

    def __init__(self, files: tuple[str, ...]) -> None:
        """``files``: PEM, certificate and chain, then the key if it is apart.

        Raises:
            WebConfigError: they cannot be used.
        """
        self._files = files
        self._seen = self._state()
        self.context = self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def look(self) -> None:
        """Reads files that have changed; what cannot be used leaves the old one in force."""
        seen = self._state()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))   # half a change would stick
            self._loaded(self.context)
        except WebConfigError as error:
            log.error('the old certificate stays: %s', error)
        else:
            log.info('serving the new certificate of %s', self._files[0])

    def run(self) -> None:
        """Looks until the greenlet is killed."""
        while True:
            gevent.sleep(LOOK_PERIOD)
            self.look()

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(self._stat(Path(name)) for name in self._files)

    @staticmethod
    def _stat(path: Path) -> tuple[int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _loaded(self, context: ssl.SSLContext) -> ssl.SSLContext:
        try:
            for name in self._files:
                Path(name).read_bytes()   # the other error does not tell which file
            # without a password callback an encrypted key would ask on the terminal
            context.load_cert_chain(*self._files, password=lambda: '')
            mode = Path(self._files[-1]).stat().st_mode     # of the file with the key
        except OSError as error:   # SSLError is one
            what, reason = (error.filename or ' and '.join(self._files),
                            error.strerror or str(error))
            raise WebConfigError(
                f'bridge: cannot serve TLS with {what} ({reason}): bridge.certificate_file is PEM '
                'with the certificate and its chain, bridge.key_file PEM with its key, not '
                'encrypted') from error
        if mode & FORBIDDEN:
            raise WebConfigError(
                f'bridge: {self._files[-1]} holds the key of TLS, and others may read or write it '
                f'(mode {mode & 0o777:04o}; allowed: 0600, or 0640 for a group of its own). Run: '
                f'chmod 600 {self._files[-1]}')
        return context


def certificate_of(config: WebConfig) -> Certificate | None:
    """What the configuration names; None serves plain HTTP."""
    if not config.certificate_file:
        if config.key_file:
            raise WebConfigError(f'bridge.key_file {config.key_file} is of no use without '
                                 'bridge.certificate_file')
        return None
    return Certificate(tuple(name for name in (config.certificate_file, config.key_file) if name))
