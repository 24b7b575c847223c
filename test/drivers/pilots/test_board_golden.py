"""Frames made by hand or recorded from a board, over a real pty or TCP port."""

import math
import os
import select
import socket
import threading
import time
import tty
from pathlib import Path

import pytest
import yaml

from charger_control.drivers import registry

GOLDEN = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'golden_boards.yaml').read_text())


class Script:
    """Answers requests byte by byte as written down; anything else is noted, and not answered."""

    def __init__(self, driver, link):
        self.frames = {request: answers if isinstance(answers, list) else [answers]
                       for request, answers in GOLDEN[driver]['frames'].items()}
        self.is_tcp, self.is_text = driver == 'phoenix_em_eth', driver == 'openevse'
        self.unknown = []
        self._end_r, self._end_w = os.pipe()
        if self.is_tcp:
            self._server = socket.create_server(('127.0.0.1', 0))
            self.config = {'host': '127.0.0.1', 'port': self._server.getsockname()[1]}
        else:
            self._ours, self._theirs = os.openpty()
            tty.setraw(self._theirs)
            link.symlink_to(os.ttyname(self._theirs))
            self.config = {'port': str(link)}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        if self.is_tcp:
            self._ours = self._server.accept()[0].detach()
        while self._end_r not in select.select([self._ours, self._end_r], [], [])[0]:
            data = os.read(self._ours, 512)
            if not data:
                return
            if self.is_text:
                for line in data.decode().split('\r')[:-1]:
                    self._answer(line.partition('^')[0].partition(' :')[0], b'')
            elif self.is_tcp:
                self._answer(data[6:].hex(' '), data[:4])
            else:
                self._answer(data.hex(' '), b'')

    def _answer(self, request, head):
        answers = self.frames.get(request)
        if answers is None:
            self.unknown.append(request)
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if self.is_text:
            os.write(self._ours, answer.encode() + b'\r')
        else:
            raw = bytes.fromhex(answer)
            os.write(self._ours, head + len(raw).to_bytes(2, 'big') + raw if head else raw)

    def close(self):
        os.write(self._end_w, b'x')
        self._thread.join()
        os.close(self._ours)


@pytest.mark.parametrize('driver', GOLDEN)
def test_frames_made_by_hand_are_what_they_say(driver, link):
    script = Script(driver, link)
    pilot = registry.open_pilot({'driver': driver, **script.config}, registry.Buses())
    pilot.start()
    try:
        end = time.monotonic() + 5.0
        while pilot.latest().value is None or pilot.latest().error:
            assert time.monotonic() < end, (pilot.latest(), script.unknown)
            time.sleep(0.01)
        sample = pilot.latest()
        for name, expected in GOLDEN[driver]['reading'].items():
            assert getattr(sample.value, name) == expected, name
        if driver == 'openevse':
            assert math.isnan(sample.value.cable_amperage)
        assert sample.value.error == '' and not sample.value.unsafe
        for name, expected in GOLDEN[driver]['identity'].items():
            assert sample.identity[name] == expected
        assert script.unknown == [], 'every request is one of those written down'
    finally:
        pilot.close()
        script.close()
