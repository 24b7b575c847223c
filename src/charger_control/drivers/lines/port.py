"""Opens a serial port for one owner, and says in words why that is not possible."""

from __future__ import annotations

import errno
import grp
import os
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import serial

from charger_control.drivers.interfaces import DeviceError, SettingsError

_PORT_PATTERNS = ('serial/by-id/*', 'ttyUSB*', 'ttyACM*', 'ttyAMA*', 'ttyS[0-9]')


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a serial line is run; the same for every device on it.

    Attributes:
        baudrate: bit/s.
        parity: 'N', 'E' or 'O'.
        stopbits: 1 or 2.
    """

    baudrate: int = 9600
    parity: str = 'N'
    stopbits: int = 1

    @property
    def character_time(self) -> float:
        """s that one byte takes on the wire, start, parity and stop bits included."""
        return (9 + self.stopbits + (self.parity != 'N')) / self.baudrate

    def __str__(self) -> str:
        return f'{self.baudrate} 8{self.parity}{self.stopbits}'


def open_port(path: str, settings: SerialSettings, write_timeout: float = 0.5) -> serial.Serial:
    """Opens a serial port that nobody else has.

    Args:
        path: device path; a symlink is followed at each opening.
        settings: of the line.
        write_timeout: s after which a port that takes no data is an error.

    Raises:
        SettingsError: it cannot be run with these settings; others may do.
        DeviceError: it is not there, in use (with the owner's pid), not permitted (with the group
            to join), or no serial port.
    """
    # A lock, not TIOCEXCL: that flag outlives a killed owner for as long as anybody has the tty.
    try:
        return serial.Serial(path, baudrate=settings.baudrate, parity=settings.parity,
                             stopbits=settings.stopbits, timeout=0, write_timeout=write_timeout,
                             exclusive=True)
    except (OSError, termios.error, ValueError) as error:
        if _refuses_settings(error):
            raise SettingsError(f'{path} cannot be run with {settings} ({error})') from error
        raise DeviceError(_why(path, error)) from error


def _refuses_settings(error: Exception) -> bool:
    """Whether a port said that it does not know a speed, a parity or a number of stop bits."""
    return (getattr(error, 'errno', None) == errno.EINVAL or 'Invalid argument' in str(error)
            or (isinstance(error, ValueError) and not isinstance(error, OSError)))


def _why(path: str, error: Exception) -> str:
    code = getattr(error, 'errno', None)
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f'{path} is not there (serial ports here: {", ".join(present_ports()) or "none"})'
    if code in (errno.EACCES, errno.EPERM):
        return f'{path}: permission denied; {_group_advice(path)}'
    if code in (errno.EAGAIN, errno.EBUSY):
        return f'{path} is in use by {_owner_in_words(path)}'
    if isinstance(error, ValueError) or 'Inappropriate ioctl' in str(error) \
            or code in (errno.EISDIR, errno.ENOTTY):
        return f'{path} is not a serial port ({error})'
    return f'{path} cannot be opened ({error})'


def present_ports() -> list[str]:
    """The serial ports of this machine, names that survive re-plugging first."""
    return [str(path) for pattern in _PORT_PATTERNS for path in sorted(Path('/dev').glob(pattern))]


def _group_advice(path: str) -> str:
    try:
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        return 'ask for access to the device'
    return f'join its group: sudo usermod -aG {group} $USER, then log in again'


def _owner_in_words(path: str) -> str:
    pid = owner_of(path)
    if pid is None:
        return 'another process (its pid cannot be seen from here): stop it first'
    if pid == os.getpid():
        return f'this process ({pid}) under another name: give both devices the same port name'
    try:
        name = Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()
    except OSError:
        name = 'unknown'
    return f'process {pid} ({name}): stop it first'


def owner_of(path: str) -> int | None:
    """The pid that has a port locked or, where locks are not visible, open; None: not found."""
    try:
        port = Path(path).stat()
    except OSError:
        return None
    return next(_lock_owners(port), None) or next(_openers(port), None)


def _lock_owners(port: os.stat_result) -> Iterator[int]:
    """Pids in /proc/locks whose lock is on this inode."""
    try:
        lines = Path('/proc/locks').read_text(encoding='ascii').splitlines()
    except OSError:
        return
    wanted = (os.major(port.st_dev), os.minor(port.st_dev), port.st_ino)
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4711 00:1a:3 0 EOF"; a waiter's has "->" and a field more
        fields = line.split()
        if len(fields) < 6 or fields[1] == '->':
            continue
        major, minor, inode = fields[5].split(':')
        if (int(major, 16), int(minor, 16), int(inode)) == wanted and int(fields[4]) > 0:
            yield int(fields[4])


def _openers(port: os.stat_result) -> Iterator[int]:
    """Other processes' pids that have this device open, as far as we may look."""
    for process in Path('/proc').glob('[0-9]*'):
        if int(process.name) == os.getpid():
            continue
        try:
            for link in (process / 'fd').iterdir():
                target = link.stat()
                if (target.st_dev, target.st_ino) == (port.st_dev, port.st_ino):
                    yield int(process.name)
        except OSError:
            continue  # it ended, or it is somebody else's
