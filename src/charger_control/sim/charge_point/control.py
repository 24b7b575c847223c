"""The control channel of a running simulator: JSON lines over a Unix socket.

A request is one object on one line: ``{"do": action, ...arguments}`` with the actions of a scenario
(`actions.py`), or ``{"do": "query"}`` for what is true now, or ``{"do": "follow"}`` for every
further event of the log. The answer is ``{"ok": true, ...}`` or ``{"ok": false, "error": text}``;
after ``follow`` each event follows as an object of its own (it has ``event``, not ``ok``).
"""

from __future__ import annotations

import json
import selectors
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_MOST_READ = 65536
_MOST_WAITING = 1 << 20
Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class ControlServer:
    """Serves the control channel inside somebody's selector loop.

    Args:
        path: of the socket; what is left of a killed process there is removed.
        selector: gets every socket, with the function to call when it is ready as data.
        handler: answers a request; may raise ValueError with what is wrong.

    Raises:
        FileExistsError: something that is not a socket is at ``path``.
        OSError: the socket cannot be made there.
    """

    def __init__(self, path: Path, selector: selectors.BaseSelector, handler: Handler) -> None:
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise FileExistsError(f'{path}: is there and not a socket; give --control another '
                                      'path or remove it')
            path.unlink()
        self._path = path
        self._selector = selector
        self._handler = handler
        self._clients: dict[socket.socket, bytes] = {}
        self._followers: set[socket.socket] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen()
        self._socket.setblocking(False)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Sends an event to all who follow; who does not read is dropped."""
        line = json.dumps(event).encode() + b'\n'
        for client in list(self._followers):
            self._send(client, line)

    def close(self) -> None:
        """Closes everything and removes the socket."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.unregister(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        client, _ = self._socket.accept()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_WAITING)
        self._clients[client] = b''
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        try:
            data = client.recv(_MOST_READ)
        except OSError:
            data = b''
        if not data:
            self._drop(client)
            return
        *lines, rest = (self._clients[client] + data).split(b'\n')
        if len(rest) > _MOST_WAITING:
            self._drop(client)
            return
        self._clients[client] = rest
        for line in lines:
            if client in self._clients:
                self._send(client, json.dumps(self._answer(client, line)).encode() + b'\n')

    def _answer(self, client: socket.socket, line: bytes) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError(f'{request!r} (allowed: an object {{"do": action, ...}})')
            if request.get('do') == 'follow':
                self._followers.add(client)
                return {'ok': True}
            return {'ok': True, **self._handler(request)}
        except RecursionError:
            return {'ok': False, 'error': 'nested too deeply'}
        except ValueError as error:
            return {'ok': False, 'error': str(error)}

    def _send(self, client: socket.socket, data: bytes) -> None:
        try:
            if client.send(data) < len(data):
                self._drop(client)      # a line cut in half is of no use to anybody
        except OSError:
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._followers.discard(client)
        if self._clients.pop(client, None) is not None:
            self._selector.unregister(client)
            client.close()


class ControlClient:
    """Speaks to a running simulator.

    Args:
        path: of its control socket.
        timeout: s to wait for an answer or an event.

    Raises:
        OSError: nobody is there.
    """

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile('r', encoding='utf-8')
        self._events: list[dict[str, Any]] = []

    def do(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Has something done; returns the answer (for ``query`` with the truth in it).

        Raises:
            ValueError: the simulator refuses, in its words.
        """
        self._socket.sendall(json.dumps({'do': action, **arguments}).encode() + b'\n')
        while True:
            answer = self._next()
            if 'ok' not in answer:
                self._events.append(answer)
            elif answer['ok']:
                return answer
            else:
                raise ValueError(answer['error'])

    def truth(self) -> dict[str, Any]:
        """What is true at the simulated charge point now; see ``ChargePoint.truth``."""
        truth: dict[str, Any] = self.do('query')['truth']
        return truth

    def follow(self) -> None:
        """Asks for all further events; ``wait_for`` takes them."""
        self.do('follow')

    def wait_for(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next event of that name with these fields; those before it are given up.

        Raises:
            TimeoutError: none came within the client's timeout after the one before it.
        """
        while True:
            entry = self._events.pop(0) if self._events else self._next()
            if entry['event'] == event and fields.items() <= entry.items():
                return entry

    def close(self) -> None:
        """Hangs up."""
        self._lines.close()
        self._socket.close()

    def _next(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError('the simulator hung up')
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
