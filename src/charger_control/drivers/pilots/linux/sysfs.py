"""Attributes of kernel devices under /sys, kept open: one system call to read or write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from charger_control.drivers.interfaces import DeviceError

ADVICE = 'give the user access with a udev rule (docs/hardware.md)'


def why(path: Path, error: OSError) -> DeviceError:
    """What an OSError at an attribute means, in words."""
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return DeviceError(f'{path} is not there')
    if error.errno in (errno.EACCES, errno.EPERM):
        return DeviceError(f'{path}: permission denied; {ADVICE}')
    return DeviceError(f'{path}: {os.strerror(error.errno or 0)}')


class Attribute:
    """One attribute, open until ``close``. Every error is a DeviceError that names the file."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        except OSError as error:
            raise why(path, error) from error

    def read(self) -> str:
        """Its value now."""
        try:
            return os.pread(self._fd, 64, 0).decode('ascii', 'replace').split('\n', 1)[0].strip()
        except OSError as error:
            raise why(self.path, error) from error

    def number(self) -> float:
        """Its value now, a number."""
        text = self.read()
        try:
            return float(text)
        except ValueError:
            raise DeviceError(f'{self.path}: {text!r} is no number') from None

    def write(self, text: str) -> None:
        """Writes its value."""
        try:
            os.pwrite(self._fd, f'{text}\n'.encode('ascii'), 0)
        except OSError as error:
            raise why(self.path, error) from error

    def close(self) -> None:
        """Frees it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def read(path: Path) -> str:
    """The value of an attribute, read once. Raises DeviceError."""
    attribute = Attribute(path)
    try:
        return attribute.read()
    finally:
        attribute.close()


def write(path: Path, text: str) -> None:
    """Writes an attribute once. Raises DeviceError."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except OSError as error:
        raise why(path, error) from error
    try:
        os.pwrite(fd, f'{text}\n'.encode('ascii'), 0)
    except OSError as error:
        raise why(path, error) from error
    finally:
        os.close(fd)
