"""A single-board computer as files: PWM and IIO classes that keep the kernel's rules, and GPIO."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace

import gpiod
import numpy as np

GAIN, OFFSET = 30.0 / 3.3, -15.0
"""Divider and shift: -15..+15 V at the pilot are 0..3.3 V at the ADC."""
SCALE = 3300.0 / 4096.0
CONFIG = {
    'driver': 'linux_pilot', 'adc': 'iio:device0', 'high_gain': GAIN, 'high_offset': OFFSET,
    'contactor_line': 17,
}
CONTACTOR, PHASES, FEEDBACK = 17, 27, 22


def raw_of(volts):
    """What the ADC gives for so many V at the pilot, clipped as it would be."""
    return int(np.clip(round((volts - OFFSET) / GAIN * 1000.0 / SCALE), 0, 4095))


class Computer:
    """The tree under ``root``. ``strict`` makes writes fail as the kernel does."""

    def __init__(self, root: Path, clock=time.monotonic) -> None:
        self.root = root
        self.writes = []        # (path below the root, text)
        self.chip = root / 'sys/class/pwm/pwmchip0'
        self.pwm = self.chip / 'pwm0'
        self.adc = root / 'sys/bus/iio/devices/iio:device0'
        self.gpio = FakeGpiod(clock)
        self.files(self.chip, export='', npwm='2')
        self.export()
        self.files(self.adc, name='ads1015', in_voltage0_raw='0', in_voltage1_raw='0',
                   in_voltage_scale=repr(SCALE))
        (root / 'dev').mkdir()
        self.set_levels(12.0, 12.0)

    @staticmethod
    def files(folder: Path, **values: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name).write_text(f'{value}\n')

    def export(self, **values: str) -> None:
        """The channel as the kernel shows it after its export."""
        self.files(self.pwm, **({'period': '0', 'duty_cycle': '0', 'enable': '0',
                                 'polarity': 'normal'} | values))

    def set_levels(self, high: float, low: float) -> None:
        for number, volts in enumerate((high, low)):
            self.write(self.adc / f'in_voltage{number}_raw', str(raw_of(volts)))

    @staticmethod
    def write(path: Path, text: str) -> None:
        """One write of the same length: a reader sees the old or the new, never half of it."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.pwrite(fd, f'{text:>12}\n'.encode(), 0)
        os.close(fd)

    def read(self, name: str) -> str:
        return (self.pwm / name).read_text().split('\n')[0]

    @property
    def duty(self) -> float:
        """Ratio on the pin, 0 while the channel is off; the plain level, polarity not counted."""
        if self.read('enable') != '1':
            return 0.0
        return int(self.read('duty_cycle')) / int(self.read('period'))

    def keep_rules(self, monkeypatch) -> None:
        """From now on writes fail as the kernel's do; a write replaces the whole value."""
        real = os.pwrite

        def pwrite(fd, data, at):
            path = Path(f'/proc/self/fd/{fd}').readlink()
            text = data.decode().strip()
            if path.is_relative_to(self.root):
                self.writes.append((str(path.relative_to(self.root)), text))
                self.obey(path, text)
                os.ftruncate(fd, 0)
            return real(fd, data, at)

        monkeypatch.setattr('charger_control.drivers.pilots.linux.sysfs.os.pwrite', pwrite)

    def obey(self, path: Path, text: str) -> None:
        if path.parent != self.pwm:
            if path.name == 'export':
                self.export()
            return
        enabled = self.read('enable') == '1'
        if path.name == 'polarity' and enabled:
            raise OSError(errno.EBUSY, 'enabled')
        if path.name == 'duty_cycle' and int(text) > int(self.read('period')):
            raise OSError(errno.EINVAL, 'above the period')
        if path.name == 'period' and int(text) < int(self.read('duty_cycle')):
            raise OSError(errno.EINVAL, 'below the duty cycle')
        if path.name != 'period' and int(self.read('period')) == 0:
            raise OSError(errno.EINVAL, 'no period')


class FakeGpiod:
    """The part of the package that is used: its own types, requests that only one can have."""

    line, LineSettings = gpiod.line, gpiod.LineSettings

    def __init__(self, clock) -> None:
        self.clock = clock
        self.level = {}         # of each requested line: whether it is active
        self.inputs = {}        # what an input is given
        self.settings = {}
        self.history = []       # (s, line, active)
        self.error = None

    def request_lines(self, path, consumer, config):
        if self.error is not None:
            raise self.error
        if set(config) & set(self.level):
            raise OSError(errno.EBUSY, 'Device or resource busy')
        assert consumer
        self.settings = config
        for number, settings in config.items():
            self.set(number, settings.output_value is gpiod.line.Value.ACTIVE)
        return SimpleNamespace(set_value=self.set_value, get_value=self.get_value,
                               release=lambda: [self.drop(number) for number in config])

    def set_value(self, number, value):
        if self.error is not None:
            raise self.error
        self.set(number, value is gpiod.line.Value.ACTIVE)

    def get_value(self, number):
        if self.error is not None:
            raise self.error
        active = self.inputs.get(number, False)
        return gpiod.line.Value.ACTIVE if active else gpiod.line.Value.INACTIVE

    def set(self, number, active):
        self.level[number] = active
        self.history.append((self.clock(), number, active))

    def drop(self, number):
        del self.level[number]
        self.history.append((self.clock(), number, None))


class PeakHold:
    """A peak-hold circuit: charges at once, falls with its time constant."""

    def __init__(self, fall_time: float = 0.03, start: float = 0.0) -> None:
        self.fall_time, self.level = fall_time, start

    def step(self, peak: float, dt: float) -> float:
        self.level *= np.exp(-dt / self.fall_time)
        self.level = peak if abs(peak) >= abs(self.level) else self.level
        return self.level


def curve(high: float, low: float, duty: float, seconds: float, *, frequency: float = 40_000.0,
          noise: float = 0.0, seed: int = 1) -> np.ndarray:
    """The pilot's own curve, V."""
    times = np.arange(round(seconds * frequency)) / frequency
    volts = np.where((times * 1000.0) % 1.0 < duty, high, low)
    return volts + np.random.default_rng(seed).normal(0.0, noise, volts.size)
