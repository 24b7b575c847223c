"""The other end of the contract suite: a golden file served on a pty, with everything that may go
wrong there. One class for the meters with registers, one for those behind an optical head."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections import deque
from pathlib import Path
from typing import ClassVar

import yaml
from fake_rtu import (
    Line,
    Unit,
    exception,
    fewer_registers,
    garbage,
    half,
    noise_before,
    silence,
    wrong_crc,
    wrong_function,
    wrong_unit,
)

DATA = Path(__file__).parent / 'data'


class Golden:
    """A golden file: exchanges of whole frames, or a telegram, and what they mean."""

    def __init__(self, driver):
        self.content = yaml.safe_load((DATA / f'golden_{driver}.yaml').read_text())
        self.driver = driver
        self.unit = self.content.get('unit', 0)
        self.reading = self.content['reading']
        self.serial_number = self.content['serial_number']
        self.exchanges = [tuple(bytes.fromhex(e[key]) for key in ('request', 'answer'))
                          for e in self.content.get('exchanges', ())]

    @property
    def pushes(self):
        return not self.exchanges

    def telegram(self):
        """What a head receives, parity bits included."""
        if self.driver == 'sml':
            return bytes.fromhex(''.join(self.content['telegram']))
        text = '\r\n'.join([*self.content['lines'], '!']) + '\r\n\x03'
        readout = (self.content['identification'] + '\r\n\x02' + text).encode('ascii')
        readout += bytes((self.content['block_check'],))
        return bytes(b | 0x80 if bin(b).count('1') % 2 else b for b in readout)

    def device(self):
        unit = Unit(self.unit)
        for request, answer in self.exchanges:
            data = answer[3:-2]
            unit.put(request[1], int.from_bytes(request[2:4], 'big'),
                     *(int.from_bytes(data[i:i + 2], 'big') for i in range(0, len(data), 2)))
        return unit


class RegisterPeer(Line):
    """A meter that is asked."""

    FAULTS: ClassVar = {
        'timeouts': silence, 'garbage': garbage, 'crc_errors': wrong_crc, 'wrong_ids': wrong_unit,
        'wrong_answers': wrong_function, 'exceptions': exception(4)}
    SURVIVED = (half, fewer_registers, noise_before)
    silence_words = 'does not answer'

    def __init__(self, link, golden):
        self.unit = golden.unit
        super().__init__(link, {golden.unit: golden.device()})

    def config(self):
        return {'rate': 20.0, 'unit': self.unit}

    def fall_silent(self):
        self.always[self.unit] = silence

    def talk(self):
        del self.always[self.unit]

    def once(self, fault):
        self.fault(self.unit, fault)

    def is_pending(self):
        return bool(self.faults.get(self.unit))

    def clear(self):
        self.faults.pop(self.unit, None)


def bit_errors(telegram):
    """Two flipped bits of one character: no parity bit shows it."""
    at = len(telegram) // 2
    return telegram[:at] + bytes((telegram[at] ^ 0x03,)) + telegram[at + 1:]


class HeadPeer:
    """A meter that pushes its golden telegram every ``INTERVAL`` s."""

    INTERVAL = 0.015
    FAULTS: ClassVar = {'crc_errors': bit_errors, 'garbage': lambda t: t[:len(t) // 2]}
    SURVIVED = (lambda t: b'\x1b\x55\x2f\xaa\x9a' + t, lambda t: t[:40], lambda t: t[30:],
                lambda t: t[:60] + t[61:], lambda t: t[:60] + b'\x33' + t[60:], lambda t: t + t)
    silence_words = 'no telegram'

    def __init__(self, link, golden):
        self.link, self._telegram, self._driver = link, golden.telegram(), golden.driver
        self._faults, self._silent = deque(), False
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self.plug()
        self._thread = threading.Thread(target=self._push, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()
        if self._master is not None:
            self.unplug()

    def config(self):
        return {'timeout': 1.0, 'mode': 'push'} if self._driver == 'd0' else {'timeout': 1.0}

    def plug(self):
        with self._lock:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            self.link.symlink_to(os.ttyname(self._slave))

    def unplug(self):
        with self._lock:
            self.link.unlink()
            os.close(self._master)
            os.close(self._slave)
            self._master = None

    def fall_silent(self):
        self._silent = True

    def talk(self):
        self._silent = False

    def once(self, fault):
        self._faults.append(fault)

    def is_pending(self):
        return bool(self._faults)

    def clear(self):
        self._faults.clear()

    def _push(self):
        while not self._stopped.wait(self.INTERVAL):
            with self._lock:
                if self._silent or self._master is None:
                    continue
                fault = self._faults.popleft() if self._faults else bytes
                if select.select([], [self._master], [], 0)[1]:
                    os.write(self._master, fault(self._telegram))


def peer_of(golden, link):
    return (HeadPeer if golden.pushes else RegisterPeer)(link, golden)


def until(meter, condition, timeout=8.0):
    """The first sample that fits; None if none does in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        sample = meter.latest()
        if condition(sample):
            return sample
        time.sleep(0.003)
    return None
