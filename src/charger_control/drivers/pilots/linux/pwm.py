"""The pilot's generator: one channel of the kernel's PWM class, /sys/class/pwm/pwmchipN/pwmM.

The kernel keeps a channel running when the process that set it is gone: ``withdraw`` of the
supervisor, or a watchdog, must end the offer (docs/hardware.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.pilots.linux import sysfs
from charger_control.drivers.pilots.linux.sysfs import Attribute

PERIOD = 1_000_000
"""ns: 1 kHz (domain.md 1.4)."""
EXPORT_TIME = 1.0
"""s for the channel's files to appear and udev to set their permissions."""
_POLL_TIME = 0.02


class PwmChannel:
    """One channel; it begins and ends with constant +12 V."""

    def __init__(self, root: Path, chip: str, channel: int, polarity: str,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        """Args:
            root: '/' but for tests.
            chip: 'pwmchip0'.
            channel: of the chip.
            polarity: 'normal', or 'inversed' behind an inverting stage.
            sleep: waits so many s.
        """
        self._class = root / 'sys/class/pwm'
        self._chip = self._class / chip
        self._folder = self._chip / f'pwm{channel}'
        self._channel = channel
        self._polarity = polarity
        self._sleep = sleep
        self._duty: Attribute | None = None
        self._on_time = -1

    @property
    def name(self) -> str:
        """The channel, for people."""
        return f'{self._chip.name}/{self._folder.name}'

    def open(self) -> None:
        """Exports and sets up the channel, with "no offer". Raises DeviceError."""
        self._export()
        folder = self._folder
        set_up = (sysfs.read(folder / 'period') == str(PERIOD)
                  and self._polarity_now() == self._polarity)
        duty = Attribute(folder / 'duty_cycle', writable=True)
        try:
            if not set_up:
                self._set_up(duty)
            duty.write(str(PERIOD))
            if sysfs.read(folder / 'enable') != '1':
                sysfs.write(folder / 'enable', '1')
        except DeviceError:
            duty.close()
            raise
        self._duty, self._on_time = duty, PERIOD

    def put_out(self, duty: float) -> None:
        """Puts a duty cycle out, ratio 0..1; 1 is constant +12 V. Raises DeviceError."""
        on_time = round(duty * PERIOD)
        if on_time == self._on_time or self._duty is None:
            return
        self._on_time = -1      # unknown, should the write fail
        self._duty.write(str(on_time))
        self._on_time = on_time

    def close(self) -> None:
        """Puts out "no offer" if it can, and frees the channel's file. Idempotent."""
        if self._duty is None:
            return
        try:
            self.put_out(1.0)
        finally:
            self._duty.close()
            self._duty = None

    def _export(self) -> None:
        if not self._chip.is_dir():
            chips = ', '.join(sorted(p.name for p in self._class.glob('pwmchip*'))) or 'none'
            raise DeviceError(f'{self._chip} is not there (PWM chips here: {chips}): switch the '
                              'PWM on in the device tree')
        if not self._folder.is_dir():
            sysfs.write(self._chip / 'export', str(self._channel))
        waited = 0.0
        while True:
            try:
                Attribute(self._folder / 'enable', writable=True).close()
                return
            except DeviceError:
                if waited >= EXPORT_TIME:
                    raise
            self._sleep(_POLL_TIME)
            waited += _POLL_TIME

    def _polarity_now(self) -> str:
        path = self._folder / 'polarity'
        return sysfs.read(path) if path.exists() else 'normal'

    def _set_up(self, duty: Attribute) -> None:
        """Period and polarity in the order that the kernel takes: nothing but the period while that
        is 0, never an on-time above it, the polarity only while the channel is off."""
        folder = self._folder
        if sysfs.read(folder / 'enable') == '1':
            sysfs.write(folder / 'enable', '0')
        if duty.number() > PERIOD:
            duty.write('0')
        sysfs.write(folder / 'period', str(PERIOD))
        if self._polarity_now() != self._polarity:
            try:
                sysfs.write(folder / 'polarity', self._polarity)
            except DeviceError as error:
                raise DeviceError(f'{self.name} cannot be {self._polarity}: {error}') from error
