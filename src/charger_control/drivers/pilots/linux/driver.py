"""A control pilot made of a single-board computer's own PWM, ADC and GPIO (interfaces.RawPilot).

The thread samples, asks the guard (core, pure) and writes: the contactor first when it opens, last
when it closes. Whatever fails in it opens the contactor and withdraws the offer.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.iso61851.proximity import cable_amperage
from charger_control.core.iso61851.raw.guard import GuardConfig, Outputs, PilotGuard
from charger_control.core.iso61851.raw.types import STEADY_HIGH, Levels, RawOrder, RawReading
from charger_control.core.units import NAN
from charger_control.drivers.interfaces import Clock, DeviceError, Sample
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.bus import RECONNECT_DELAY, boottime
from charger_control.drivers.pilots.linux.adc import Input, LevelSource
from charger_control.drivers.pilots.linux.gpio import Lines
from charger_control.drivers.pilots.linux.pwm import PwmChannel

ADC_PATIENCE = 1.0
"""s of a failing ADC after which everything is opened anew."""
CABLE_PERIOD = 0.5
"""s between two readings of the proximity contact."""
COUNTERS = ('samples', 'late', 'adc_errors', 'opened', 'failures')
SWITCH_INTERVAL = 0.001
"""s after which Python takes the interpreter from another thread. Its 5 ms, met some times in each
sample, would cost half of the samples beside a busy thread."""
END_TIME = 1.0
"""s that ``close`` waits for the thread."""


@dataclass(frozen=True, slots=True)
class Proximity:
    """How the proximity contact is measured.

    Attributes:
        open: opens the ADC's input, V.
        supply: V that the contact is pulled up to.
        pull_up: ohm.
    """

    open: Callable[[], Input]
    supply: float = 5.0
    pull_up: float = 1000.0

    def resistance(self, volts: float) -> float:
        """Ohm between contact and earth at so many V; NaN for a voltage that cannot be."""
        if not 0.0 <= volts <= 1.1 * self.supply:
            return NAN
        return self.pull_up * volts / max(1e-3, self.supply - volts)


@dataclass(frozen=True, slots=True)
class LinuxPilotConfig:
    """How the pilot is run.

    Attributes:
        timeout: s without a sample after which the reading is no longer published.
        step: A, the least change of the signal.
        rate: Hz of sampling.
        pulses: the contactor's line toggles at every sample while it is closed, for a charge pump
            that drops when it stops.
        switches_phases: there is a relay for L2 and L3.
        reconnect_delay: s, first and longest delay between two tries to open the hardware.
    """

    timeout: float = 0.5
    step: float = 0.01
    rate: float = 250.0
    pulses: bool = False
    switches_phases: bool = False
    reconnect_delay: tuple[float, float] = RECONNECT_DELAY


class LinuxPilot:
    """See interfaces.RawPilot."""

    def __init__(self, pwm: PwmChannel, levels: LevelSource, lines: Lines,
                 proximity: Proximity | None, config: LinuxPilotConfig,
                 clock: Clock = boottime) -> None:
        """``clock``: s, only forward."""
        self.timeout = config.timeout
        self.step = config.step
        self.switches_phases = config.switches_phases
        self._config = config
        self._pwm, self._levels, self._lines = pwm, levels, lines
        self._proximity = proximity
        self._now = clock
        first = 1 if config.switches_phases else 3  # the relay is at rest
        self._order = Heard(RawOrder(), float('-inf'))
        """Swapped whole by any thread."""
        self._guard = PilotGuard(GuardConfig(phases=first))
        self._put = Outputs(STEADY_HIGH, False, first)
        # all names from the start: others copy it while the thread counts
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._identity = {'model': 'single-board computer', 'pwm': pwm.name}
        self._sample: Sample[RawReading] = Sample(
            None, error='not opened yet', identity=self._identity)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._cable: Input | None = None
        self._cable_amperage = NAN
        self._cable_at = float('-inf')
        self._failing_since: float | None = None
        self._pulse = False

    # -- any thread ------------------------------------------------------------------------------
    def start(self) -> None:
        """See interfaces.RawPilot."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL))
        self._thread = threading.Thread(target=self._run, name='control pilot', daemon=True)
        self._thread.start()

    def order(self, order: RawOrder) -> None:
        """See interfaces.RawPilot."""
        self._order = Heard(order, self._now())

    def latest(self) -> Sample[RawReading]:
        """See interfaces.RawPilot."""
        return self._sample

    def close(self) -> None:
        """See interfaces.RawPilot."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(END_TIME)

    # -- the thread ------------------------------------------------------------------------------
    def _run(self) -> None:
        backoff = Backoff(*self._config.reconnect_delay)
        while not self._closing.is_set():
            try:
                self.open()
                backoff.reset()
                self._turn_until_closed()
            except DeviceError as error:
                self._publish(str(error))
                self._counts['failures'] += 1
            finally:
                self.release()
            self._closing.wait(backoff.delay())

    def _turn_until_closed(self) -> None:
        period = 1.0 / self._config.rate
        due = self._now()
        while not self._closing.is_set():
            self.turn()
            if self._levels.paces:
                continue
            due += period
            rest = due - self._now()
            if rest > 0.0:
                time.sleep(rest)
            else:   # what was missed is not caught up with
                self._counts['late'] += 1
                due -= rest

    def open(self) -> None:
        """Opens everything: the lines first, which only one process can have. DeviceError."""
        self._lines.open()
        self._pwm.open()
        self._levels.open()
        if self._proximity is not None:
            self._cable = self._proximity.open()
        self._counts['opened'] += 1
        self._failing_since = None

    def turn(self) -> None:
        """One sample and what follows from it. Raises DeviceError for what cannot go on."""
        sample, error = self._take()
        now = self._now()
        feedback = self._lines.feedback()
        out = self._guard.step(now, sample, self._order, feedback)
        self._put_out(out)
        if self._cable is not None and now - self._cable_at >= CABLE_PERIOD:
            self._read_cable(now)
        reading = self._guard.reading(feedback, self._cable_amperage)
        at = sample.at if sample is not None else self._sample.at
        if sample is not None or self._sample.value is not None:
            self._sample = Sample(reading, at, error, self._counts, self._identity)

    def release(self) -> None:
        """Opens the contactor, withdraws the offer, frees everything; whatever can still be."""
        self._guard.lost(self._now())
        self._put = Outputs(STEADY_HIGH, False, self._put.phases)
        for part in (self._lines, self._pwm, self._levels, self._cable):
            if part is not None:
                with contextlib.suppress(DeviceError):
                    part.close()
        self._cable, self._cable_amperage = None, NAN

    def _take(self) -> tuple[Levels | None, str]:
        """A sample, or what is wrong. A failing ADC is an error for all after ADC_PATIENCE."""
        at = self._now()
        try:
            high, low = self._levels.sample()
        except DeviceError as error:
            self._counts['adc_errors'] += 1
            if self._failing_since is None:
                self._failing_since = at
            elif at - self._failing_since > ADC_PATIENCE:
                raise
            return None, str(error)
        self._failing_since = None
        self._counts['samples'] += 1
        return Levels(self._now() if self._levels.paces else at, high, low), ''

    def _put_out(self, out: Outputs) -> None:
        put = self._put
        if put.contactor and not out.contactor:
            self._lines.close_contactor(False)
        if out.duty != put.duty:
            self._pwm.put_out(out.duty)
        if out.phases != put.phases:
            self._lines.switch_phases(out.phases)
        if out.contactor and self._config.pulses:
            self._pulse = not self._pulse
            self._lines.close_contactor(self._pulse)
        elif out.contactor and not put.contactor:
            self._lines.close_contactor(True)
        self._put = out

    def _read_cable(self, now: float) -> None:
        self._cable_at = now
        assert self._cable is not None and self._proximity is not None
        self._cable_amperage = cable_amperage(self._proximity.resistance(self._cable.volts()))

    def _publish(self, error: str) -> None:
        self._sample = Sample(self._sample.value, self._sample.at, error, self._counts,
                              self._identity)
