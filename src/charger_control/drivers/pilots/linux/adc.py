"""The pilot's plateaus from an ADC of the kernel's IIO class, /sys/bus/iio/devices/iio:deviceN.

Either two channels behind peak-hold circuits, read one by one, or one channel with the pilot's own
curve, read in blocks from the device's buffer.
"""

from __future__ import annotations

import os
import re
import select
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from charger_control.core.iso61851.raw.levels import plateaus
from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.pilots.linux import sysfs
from charger_control.drivers.pilots.linux.sysfs import Attribute

MIN_FREQUENCY = 38_000.0
"""Hz: one sample or more in the pilot's shortest pulse, low for 4 % of 1 ms at 80 A."""
BLOCKS = 16
"""Blocks that the kernel's buffer holds; the thread may be late by so many."""
BLOCK_TIMEOUT = 0.025
"""s to wait for a block."""
_TYPE = re.compile(r'(be|le):([su])(\d+)/(\d+)(?:X\d+)?>>(\d+)')


@dataclass(frozen=True, slots=True)
class Channel:
    """An input and what it stands for: V at the pilot = gain x V at the input + offset."""

    number: int
    gain: float
    offset: float


class LevelSource(Protocol):
    """Where the plateaus come from."""

    paces: bool
    """Whether ``sample`` waits for the next sample by itself."""

    def open(self) -> None:
        """Opens the device. Raises DeviceError."""

    def sample(self) -> tuple[float, float]:
        """Upper and lower plateau, V. Raises DeviceError."""

    def close(self) -> None:
        """Frees the device. Idempotent."""


def find_device(root: Path, name: str) -> Path:
    """The folder of an IIO device, by its number ('iio:device0') or its name ('ads1015').

    Raises:
        DeviceError: there is none, or more than one of that name.
    """
    folders = sorted((root / 'sys/bus/iio/devices').glob('iio:device*'))
    names = {folder: sysfs.read(folder / 'name') for folder in folders
             if (folder / 'name').exists()}
    found = [folder for folder in folders if name in (folder.name, names.get(folder))]
    if len(found) == 1:
        return found[0]
    there = ', '.join(f'{folder.name} ({names.get(folder, "?")})' for folder in folders) or 'none'
    trouble = 'is there more than once' if found else 'is not there'
    raise DeviceError(f'ADC {name!r} {trouble} (IIO devices here: {there})')


class Input:
    """One input of an ADC, read one sample at a time."""

    def __init__(self, device: Path, channel: Channel) -> None:
        """Opens it. Raises DeviceError."""
        self._factor, self._zero = _conversion(device, channel)
        self._raw = Attribute(device / f'in_voltage{channel.number}_raw')

    def volts(self) -> float:
        """V at what the channel stands for. Raises DeviceError."""
        return self._factor * self._raw.number() + self._zero

    def close(self) -> None:
        """Frees it. Idempotent."""
        self._raw.close()


def _conversion(device: Path, channel: Channel) -> tuple[float, float]:
    """Factor and zero: V = factor x raw + zero."""
    def of(what: str) -> float | None:
        for name in (f'in_voltage{channel.number}_{what}', f'in_voltage_{what}'):
            if (device / name).exists():
                attribute = Attribute(device / name)
                try:
                    return attribute.number()
                finally:
                    attribute.close()
        return None

    scale = of('scale')
    if scale is None:
        raise DeviceError(f'{device.name}: no scale for in_voltage{channel.number}')
    factor = channel.gain * scale / 1000.0      # the class counts in mV
    return factor, factor * (of('offset') or 0.0) + channel.offset


class PeakHoldAdc:
    """Two channels behind peak-hold circuits; implements LevelSource."""

    paces = False

    def __init__(self, root: Path, device: str, high: Channel, low: Channel) -> None:
        self._root, self._device = root, device
        self._channels = (high, low)
        self._inputs: list[Input] = []

    def open(self) -> None:
        """See LevelSource."""
        folder = find_device(self._root, self._device)
        for channel in self._channels:
            self._inputs.append(Input(folder, channel))

    def sample(self) -> tuple[float, float]:
        """See LevelSource."""
        high, low = self._inputs
        return high.volts(), low.volts()

    def close(self) -> None:
        """See LevelSource."""
        for each in self._inputs:
            each.close()
        self._inputs = []


@dataclass(frozen=True, slots=True)
class ScanType:
    """How a sample lies in the buffer, from scan_elements/..._type ('le:s12/16>>4')."""

    dtype: np.dtype[np.signedinteger[npt.NBitBase] | np.unsignedinteger[npt.NBitBase]]
    signed: bool
    bits: int
    storage: int
    shift: int

    @classmethod
    def of(cls, text: str) -> ScanType:
        """Raises DeviceError for what this is not."""
        match = _TYPE.fullmatch(text)
        if match is None or int(match[4]) not in (8, 16, 32, 64):
            raise DeviceError(f'scan type {text!r} (known: be|le:s|u bits/8|16|32|64>>shift)')
        order, sign, bits, storage, shift = match.groups()
        dtype = np.dtype(('<' if order == 'le' else '>') + ('i' if sign == 's' else 'u')
                         + str(int(storage) // 8))
        return cls(dtype, sign == 's', int(bits), int(storage), int(shift))

    def values(self, data: bytes) -> npt.NDArray[np.float64]:
        """The samples in ``data``."""
        raw = np.frombuffer(data, self.dtype).astype(np.int64 if self.signed else np.uint64)
        unused = 64 - self.bits
        # up to the top and down again: drops what is above, and extends the sign
        return ((raw << (unused - self.shift)) >> unused).astype(np.float64)


class BufferedAdc:
    """One channel with the pilot's curve, in blocks from the device's buffer; a LevelSource."""

    paces = True

    def __init__(self, root: Path, device: str, channel: Channel, frequency: float,
                 rate: float) -> None:
        """``frequency``: samples, Hz; ``rate``: blocks, Hz."""
        self._root, self._device, self._channel = root, device, channel
        self._frequency = frequency
        self._block = round(frequency / rate)
        self._folder: Path | None = None
        self._fd = -1
        self._rest = b''

    def open(self) -> None:
        """See LevelSource."""
        folder = self._folder = find_device(self._root, self._device)
        if not (folder / 'buffer').is_dir():
            raise DeviceError(f'{folder.name} has no buffer: read two peak-hold channels instead '
                              '(sampling: peak_hold)')
        sysfs.write(folder / 'buffer/enable', '0')
        name = f'in_voltage{self._channel.number}'
        for enable in (folder / 'scan_elements').glob('*_en'):
            sysfs.write(enable, '1' if enable.name == f'{name}_en' else '0')
        self._set_frequency(folder, name)
        self._factor, self._zero = _conversion(folder, self._channel)
        self._type = ScanType.of(sysfs.read(folder / f'scan_elements/{name}_type'))
        self._bytes = self._block * self._type.storage // 8
        sysfs.write(folder / 'buffer/length', str(BLOCKS * self._block))
        sysfs.write(folder / 'buffer/watermark', str(self._block))
        sysfs.write(folder / 'buffer/enable', '1')
        path = self._root / 'dev' / folder.name
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise sysfs.why(path, error) from error
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._rest = b''

    def sample(self) -> tuple[float, float]:
        """See LevelSource. Waits for a block; of several that have come it takes the newest."""
        while len(self._rest) < self._bytes:
            if not self._poll.poll(BLOCK_TIMEOUT * 1000.0):
                raise DeviceError(f'{self._device}: no samples for {BLOCK_TIMEOUT * 1000:.0f} ms')
            try:
                data = os.read(self._fd, BLOCKS * self._bytes)
            except OSError as error:
                raise sysfs.why(self._root / 'dev' / self._device, error) from error
            if not data:
                raise DeviceError(f'{self._device}: its buffer was closed')
            self._rest += data
        whole = len(self._rest) - len(self._rest) % (self._type.storage // 8)
        block, self._rest = self._rest[whole - self._bytes:whole], self._rest[whole:]
        return plateaus(self._factor * self._type.values(block) + self._zero)

    def close(self) -> None:
        """See LevelSource."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        if self._folder is not None:
            folder, self._folder = self._folder, None
            if (folder / 'buffer/enable').exists():
                sysfs.write(folder / 'buffer/enable', '0')

    def _set_frequency(self, folder: Path, name: str) -> None:
        """Sets the rate of samples and reads back what the device made of it."""
        for owner in (f'{name}_', 'in_voltage_', ''):
            path = folder / f'{owner}sampling_frequency'
            if path.exists():
                sysfs.write(path, f'{self._frequency:.0f}')
                got = float(sysfs.read(path))
                if not MIN_FREQUENCY <= got <= 1.1 * self._frequency:
                    raise DeviceError(f'{folder.name} samples at {got:g} Hz, not at '
                                      f'{self._frequency:g} (needed: {MIN_FREQUENCY:g} or more)')
                return
        raise DeviceError(f'{folder.name}: no sampling_frequency to set; is its trigger there?')
