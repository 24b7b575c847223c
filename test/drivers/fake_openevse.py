"""An OpenEVSE behind a pty, made by hand for tests; its checksum is written anew here."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections import deque
from pathlib import Path


def seal(text: str) -> bytes:
    value = 0
    for character in text:
        value ^= ord(character)
    return f'{text}^{value:02X}\r'.encode()


class Board:
    """``log`` has every command; ``before`` is sent ahead of the next answer, ``faults`` replace
    answers: a function of the whole answer, giving bytes."""

    def __init__(self, link: Path, *, echoes: bool = True) -> None:
        self.link, self.echoes = link, echoes
        self.log: list[str] = []
        self.before = b''
        self.faults: deque = deque()
        self.least, self.most = 6, 32
        self.capacity, self.mode, self.pilot, self.supervised = 32, 'FE', 3, ''
        self.missed = False
        self.old = False
        self._wake_r, self._wake_w = os.pipe()
        self.plug()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.link.symlink_to(os.ttyname(self._slave))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        if self._thread is None:
            return
        os.write(self._wake_w, b'x')
        self._thread.join()
        self._thread = None
        self.link.unlink()
        os.close(self._master)
        os.close(self._slave)

    @property
    def offered(self) -> int:
        return self.capacity if self.mode == 'FE' else 0

    def boot(self) -> None:
        """Restarts as delivered: it offers its most by itself."""
        self.capacity, self.mode, self.supervised = 32, 'FE', ''
        os.write(self._master, seal('$AB 00 D8.2.1'))

    def say(self, text: str) -> None:
        os.write(self._master, seal(text))

    def _serve(self) -> None:
        buffer = b''
        while True:
            ready = select.select([self._master, self._wake_r], [], [])[0]
            if self._wake_r in ready:
                os.read(self._wake_r, 8)
                return
            buffer += os.read(self._master, 256)
            while b'\r' in buffer:
                line, _, buffer = buffer.partition(b'\r')
                self._take(line.decode())

    def _take(self, line: str) -> None:
        body, _, _ = line.partition('^')
        assert seal(body) == line.encode() + b'\r', f'a wrong checksum: {line}'
        words = body[1:].split(' ')
        echo = words.pop() if words[-1].startswith(':') else ''
        self.log.append(' '.join(words))
        answer = self._answer(words)
        data = seal(answer + (f' {echo}' if echo and self.echoes else ''))
        if self.faults:
            data = self.faults.popleft()(data)
        os.write(self._master, self.before + data)
        self.before = b''

    def _answer(self, words: list[str]) -> str:  # noqa: PLR0911
        command, *parameters = words
        if command in ('FE', 'FS', 'FD'):
            self.mode = command
            return '$OK'
        if command == 'SC':
            assert parameters[1] == 'V', 'its EEPROM would wear out'
            wanted = int(parameters[0])
            self.capacity = min(max(wanted, self.least), self.most)
            return f'${"OK" if self.capacity == wanted else "NK"} {self.capacity}'
        if command == 'GS' and self.old:
            return '$OK 3 100'
        if command == 'GS':
            state = {'FE': self.pilot, 'FS': 0xFE, 'FD': 0xFF}[self.mode]
            relay = 0x40 if self.mode == 'FE' and self.pilot == 3 else 0
            return f'$OK {state:02x} 100 {self.pilot:02x} {0x100 | relay:04x}'
        if command == 'SY' and len(parameters) == 2:
            self.supervised, self.missed = ' '.join(parameters), False
            return f'$OK {self.supervised} 0'
        if command == 'SY':
            return '$NK 5 6 2' if self.missed else '$OK 5 6 0'
        return {'GE': f'$OK {self.capacity} 0022', 'GV': '$OK 8.2.1 5.2.1',
                'GY': f'$OK {self.supervised or "0 0"} 0',
                'GC': f'$OK {self.least} 32 {self.capacity} 32'}.get(command, '$NK')
