"""Keeps the computer from sleeping while a vehicle charges, where systemd is there.

A sleeping computer withdraws nothing on a board without a heartbeat (architecture.md, Processes).
"""

from __future__ import annotations

import shutil
import subprocess


class SleepInhibitor:
    """Holds a block inhibitor of logind through ``systemd-inhibit`` while told to."""

    def __init__(self) -> None:
        self._command = shutil.which('systemd-inhibit')
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self, wanted: bool) -> None:
        """Takes or gives back the inhibitor; does nothing where there is no systemd."""
        if wanted and self._command and self._process is None:
            self._process = subprocess.Popen(
                [self._command, '--what=sleep', '--who=charger_control', '--mode=block',
                 '--why=a vehicle is charging', 'sleep', 'infinity'],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elif not wanted and self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
