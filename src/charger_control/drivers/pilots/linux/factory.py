"""Opens a single-board computer's pilot from a configuration, or withdraws from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.bus import Buses
from charger_control.drivers.options import Option
from charger_control.drivers.pilots.linux.adc import (
    BufferedAdc,
    Channel,
    Input,
    LevelSource,
    PeakHoldAdc,
    find_device,
)
from charger_control.drivers.pilots.linux.driver import LinuxPilot, LinuxPilotConfig, Proximity
from charger_control.drivers.pilots.linux.gpio import Line, Lines
from charger_control.drivers.pilots.linux.pwm import PwmChannel

ROOT = Path('/')
RETRY_DELAY = 0.02
"""s between two tries to get the lines of a process that was just killed."""
NONE = 'none'
NO_LINE = -1


def options() -> tuple[Option, ...]:
    """What can be set; docs/hardware.md, RawPilot on a single-board computer, says how."""
    default = LinuxPilotConfig()
    return (
        Option('pwm_chip', str, "the generator's PWM chip under /sys/class/pwm", 'pwmchip0'),
        Option('pwm_channel', int, 'its channel', 0, '', 0, 63),
        Option('pwm_polarity', str, 'inversed behind an inverting stage', 'normal',
               choices=('normal', 'inversed')),
        Option('step', float, 'least change of the signal', default.step, 'A', 0.01, 1.0),
        Option('adc', str, "IIO device of the pilot, by number ('iio:device0') or name"),
        Option('sampling', str, 'two channels behind peak-hold circuits, or one with the curve '
               'itself through the buffer', 'peak_hold', choices=('peak_hold', 'buffer')),
        Option('high_channel', int, 'input of the upper plateau (buffer: of the pilot)', 0, '', 0,
               63),
        Option('high_gain', float, 'V at the pilot per V at that input', None, '', -100.0, 100.0),
        Option('high_offset', float, 'V at the pilot at 0 V there', None, 'V', -100.0, 100.0),
        Option('low_channel', int, 'input of the lower plateau', 1, '', 0, 63),
        Option('low_gain', float, 'V at the pilot per V at that input; 0: as the upper one', 0.0,
               '', -100.0, 100.0),
        Option('low_offset', float, 'V at the pilot at 0 V there', 0.0, 'V', -100.0, 100.0),
        Option('rate', float, 'decisions; the buffer is read in blocks of this rate', default.rate,
               'Hz', 200.0, 1000.0),
        Option('sample_frequency', float, "samples of the pilot's curve (buffer)", 40_000.0, 'Hz',
               40_000.0, 1_000_000.0),
        Option('gpio_chip', str, 'character device of the lines', '/dev/gpiochip0'),
        Option('contactor_line', int, 'line that closes the contactor', None, '', 0, 1023),
        Option('contactor_active_low', bool, 'closed by a low level', False),
        Option('contactor_drive', str, 'a level, or pulses for a charge pump that drops when they '
               'stop', 'level', choices=('level', 'pulses')),
        Option('feedback_line', int, "line of the auxiliary contact; -1: none", NO_LINE, '',
               NO_LINE, 1023),
        Option('feedback_active_low', bool, 'closed is a low level', False),
        Option('phase_line', int, 'line that adds L2 and L3; -1: none', NO_LINE, '', NO_LINE, 1023),
        Option('phase_active_low', bool, 'three phases is a low level', False),
        Option('proximity_adc', str, f'IIO device of the proximity contact; {NONE}: tethered cable',
               NONE),
        Option('proximity_channel', int, 'its input', 0, '', 0, 63),
        Option('proximity_supply', float, 'what the contact is pulled up to', 5.0, 'V', 1.0, 15.0),
        Option('proximity_pull_up', float, 'through this', 1000.0, 'ohm', 50.0, 10_000.0),
        Option('proximity_gain', float, 'V at the contact per V at the input', 1.0, '', 0.1, 20.0),
        Option('timeout', float, 'without a sample, until the reading is no longer published',
               default.timeout, 's', 0.1, 2.0),
    )


def open_pilot(values: Mapping[str, Any], buses: Buses, root: Path = ROOT) -> LinuxPilot:
    """The pilot, not started.

    Args:
        values: checked against ``options``.
        buses: of the process; not used, the lines have one owner by themselves.
        root: '/' but for tests.
    """
    return LinuxPilot(
        _pwm(values, root), _levels(values, root), _lines(values, root), _proximity(values, root),
        LinuxPilotConfig(values['timeout'], values['step'], values['rate'],
                         values['contactor_drive'] == 'pulses',
                         values['phase_line'] != NO_LINE))


def withdraw(values: Mapping[str, Any], within: float, root: Path = ROOT) -> str:
    """Ends the offer of a dead process, then opens the contactor; see registry.withdraw."""
    end = time.monotonic() + within
    words = _withdraw_offer(values, root)
    lines = _lines(values, root)
    while True:
        try:
            lines.open()    # requested with the contactor open
            lines.close()
            return words
        except DeviceError as error:
            if time.monotonic() + RETRY_DELAY >= end:
                return '; '.join(filter(None, (words, str(error))))
        time.sleep(RETRY_DELAY)


def _withdraw_offer(values: Mapping[str, Any], root: Path) -> str:
    pwm = _pwm(values, root)
    try:
        pwm.open()          # begins with constant +12 V
        pwm.close()
    except DeviceError as error:
        return str(error)
    return ''


def _pwm(values: Mapping[str, Any], root: Path) -> PwmChannel:
    return PwmChannel(root, values['pwm_chip'], values['pwm_channel'], values['pwm_polarity'])


def _levels(values: Mapping[str, Any], root: Path) -> LevelSource:
    high = Channel(values['high_channel'], values['high_gain'], values['high_offset'])
    if values['sampling'] == 'buffer':
        return BufferedAdc(root, values['adc'], high, values['sample_frequency'], values['rate'])
    same = values['low_gain'] == 0.0
    low = Channel(values['low_channel'], high.gain if same else values['low_gain'],
                  high.offset if same else values['low_offset'])
    return PeakHoldAdc(root, values['adc'], high, low)


def _lines(values: Mapping[str, Any], root: Path) -> Lines:
    chip = root / values['gpio_chip'].lstrip('/')
    return Lines(chip, *(Line(values[f'{name}_line'], values[f'{name}_active_low'])
                         for name in ('contactor', 'phase', 'feedback')))


def _proximity(values: Mapping[str, Any], root: Path) -> Proximity | None:
    name = values['proximity_adc']
    if name == NONE:
        return None
    channel = Channel(values['proximity_channel'], values['proximity_gain'], 0.0)
    return Proximity(lambda: Input(find_device(root, name), channel),
                     values['proximity_supply'], values['proximity_pull_up'])
