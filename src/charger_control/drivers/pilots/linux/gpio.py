"""Contactor, phase relay and feedback on lines of the GPIO character device, through libgpiod.

The kernel takes the lines back when the process dies. What they do then is the hardware's part:
see docs/hardware.md for what it must provide.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.pilots.linux.sysfs import ADVICE

PACKAGE = 'gpiod'
CONSUMER = 'charger_control'


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the chip; ``number`` below 0: there is none."""

    number: int
    active_low: bool = False

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return self.number >= 0


def load_gpiod() -> Any:
    """The bindings of libgpiod 2. Raises DeviceError with what to install."""
    try:
        gpiod = import_module(PACKAGE)
    except ImportError as error:
        raise DeviceError(f'the Python package {PACKAGE} is not installed: pip install '
                          f'"{PACKAGE}>=2.2" ({error})') from error
    if not hasattr(gpiod, 'request_lines'):
        raise DeviceError(f'the Python package {PACKAGE} is of libgpiod 1: pip install '
                          f'"{PACKAGE}>=2.2"')
    return gpiod


class Lines:
    """The lines of one charge point. It begins and ends with an open contactor."""

    def __init__(self, chip: Path, contactor: Line, phases: Line, feedback: Line,
                 gpiod: Any = None) -> None:
        """Args:
            chip: /dev/gpiochipN.
            contactor: active: closed.
            phases: active: three phases, inactive: one.
            feedback: active: closed.
            gpiod: the package; default: imported when opened.
        """
        self._chip = chip
        self._contactor, self._phases, self._feedback = contactor, phases, feedback
        self._gpiod = gpiod
        self._request: Any = None
        self._on: Any = None
        self._off: Any = None

    def open(self) -> None:
        """Requests the lines, contactor open. Raises DeviceError."""
        gpiod = self._gpiod = self._gpiod or load_gpiod()
        line = import_module(f'{PACKAGE}.line') if not hasattr(gpiod, 'line') else gpiod.line
        self._on, self._off = line.Value.ACTIVE, line.Value.INACTIVE
        config: dict[int, Any] = {}
        for each in (self._contactor, self._phases, self._feedback):
            if not each.exists:
                continue
            if each.number in config:
                raise DeviceError(f'{self._chip}: line {each.number} is given twice')
            is_input = each is self._feedback
            config[each.number] = gpiod.LineSettings(
                direction=line.Direction.INPUT if is_input else line.Direction.OUTPUT,
                active_low=each.active_low, output_value=self._off)
        try:
            self._request = gpiod.request_lines(str(self._chip), consumer=CONSUMER, config=config)
        except (OSError, ValueError) as error:
            raise self._why(error) from error

    def close_contactor(self, closed: bool) -> None:
        """Closes or opens the contactor. Raises DeviceError."""
        self._set(self._contactor, closed)

    def switch_phases(self, phases: int) -> None:
        """Switches one or three phases. Raises DeviceError."""
        if self._phases.exists:
            self._set(self._phases, phases == 3)

    def feedback(self) -> bool | None:
        """Whether the auxiliary contact says closed; None: there is none. Raises DeviceError."""
        if not self._feedback.exists or self._request is None:
            return None
        try:
            return bool(self._request.get_value(self._feedback.number) == self._on)
        except OSError as error:
            raise self._why(error) from error

    def close(self) -> None:
        """Opens the contactor and frees the lines. Idempotent."""
        request, self._request = self._request, None
        if request is None:
            return
        try:
            request.set_value(self._contactor.number, self._off)
        except OSError as error:
            raise self._why(error) from error
        finally:
            request.release()

    def _set(self, line: Line, active: bool) -> None:
        if self._request is None:
            return
        try:
            self._request.set_value(line.number, self._on if active else self._off)
        except OSError as error:
            raise self._why(error) from error

    def _why(self, error: OSError | ValueError) -> DeviceError:
        code = getattr(error, 'errno', None)
        numbers = ', '.join(str(line.number) for line in (
            self._contactor, self._phases, self._feedback) if line.exists)
        if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return DeviceError(f'{self._chip} is not there')
        if code in (errno.EACCES, errno.EPERM):
            return DeviceError(f'{self._chip}: permission denied; {ADVICE}')
        if code == errno.EBUSY:
            return DeviceError(f'{self._chip}: one of lines {numbers} is in use by somebody else '
                               '(gpioinfo names the owner): stop it first')
        words = os.strerror(code) if code else str(error)
        return DeviceError(f'{self._chip}, lines {numbers}: {words}')
