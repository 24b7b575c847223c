"""A pty behind a symlink: the serial cable between the charger and its devices."""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from pathlib import Path

_MOST_READ = 4096
_OUTPUT_SPEED = 5


class PtyPort:
    """One end of a serial cable; the other end is opened by a driver under ``link``.

    While plugged in this end holds the driver's end open as well: without that a pty without a
    reader reports a hang-up all the time, which an idle serial line does not.

    Args:
        link: path under which the driver finds the line; an existing symlink is replaced.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self.name = ''
        self._ours = -1
        self._theirs = -1

    @property
    def connected(self) -> bool:
        """Whether the cable is plugged in."""
        return self._ours >= 0

    def fileno(self) -> int:
        """What to wait for input on; -1 while unplugged."""
        return self._ours

    def plug_in(self) -> None:
        """Makes a new pty and points the symlink to it.

        Raises:
            FileExistsError: something that is not a symlink is in its place.
            OSError: the symlink cannot be made there.
        """
        if self.connected:
            return
        if self.link.exists() and not self.link.is_symlink():
            raise FileExistsError(f'{self.link}: is there and not a symlink; give --link another '
                                  'path or remove it')
        ours, theirs = os.openpty()
        try:
            tty.setraw(theirs)
            os.set_blocking(ours, False)
            name = os.ttyname(theirs)
            beside = self.link.with_name(f'{self.link.name}.{os.getpid()}')
            beside.symlink_to(name)
            beside.replace(self.link)
        except OSError:
            os.close(ours)
            os.close(theirs)
            raise
        self._ours, self._theirs, self.name = ours, theirs, name

    def pull(self) -> None:
        """Takes the cable away: the pty is gone, and the symlink with it."""
        if not self.connected:
            return
        if self.link.is_symlink() and str(self.link.readlink()) == self.name:
            self.link.unlink()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1

    def read(self) -> bytes:
        """What has come in, b'' if nothing."""
        try:
            return os.read(self._ours, _MOST_READ)
        except BlockingIOError:
            return b''

    def write(self, data: bytes) -> None:
        """Sends; what nobody takes is lost, as on a line."""
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[os.write(self._ours, data):]

    def is_baudrate(self, baudrate: int) -> bool:
        """Whether the driver has set its end to ``baudrate``."""
        speed = getattr(termios, f'B{baudrate}', None)
        return speed is None or termios.tcgetattr(self._ours)[_OUTPUT_SPEED] == speed
