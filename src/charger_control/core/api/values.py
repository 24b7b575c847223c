"""The values that clients have set: what a request makes of them, what they mean, how they last.

Across a restart of the process, and of the machine as far as its clocks can be trusted, values go
on with what remains of their timeout. Where it cannot be told how much time has passed, none is
counted: a limit is never lifted early by a clock. The price is that it may hold for up to its
whole timeout again after a power cut without a synchronised clock. Where an amperage is to be
held after the timeout, the lower of the two counts as long as that is open (``doubtful``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from charger_control.core.api.course import Course, lower
from charger_control.core.api.types import MAX_POWER, MIN_POWER, TIMEOUTS, SetLimits
from charger_control.core.messages.client_limits import DEFAULT_TIMEOUT, Limits
from charger_control.core.moment import Moment, proven
from charger_control.core.power import STOP_AMPERAGE, Conversion
from charger_control.core.units import MAX_AMPERAGE, MIN_AMPERAGE, NAN

CLIENT_LENGTH = 60
"""Characters of a client's name that are kept."""


@dataclass(frozen=True, slots=True)
class Values:
    """What clients have set, and until when it is valid.

    Attributes:
        enabled: None: nobody set it, or it was given back.
        amperage: A per phase; NaN: not set.
        power: W; NaN: not set.
        one_phase: charge on one phase.
        phase_rotation: stored, without effect.
        timeout: s that values are valid after a write.
        until: s, the ``now`` at which they lapse; -inf: they have.
        client: who wrote last.
        doubtful: part of the timeout may have passed unseen.
    """

    enabled: bool | None = None
    amperage: float = NAN
    power: float = NAN
    one_phase: bool = False
    phase_rotation: bool = False
    timeout: float = DEFAULT_TIMEOUT
    until: float = -math.inf
    client: str = ''
    doubtful: bool = False

    @property
    def anything(self) -> bool:
        """Whether any value that limits is set, valid or not."""
        return (self.enabled is not None or not math.isnan(self.amperage)
                or not math.isnan(self.power) or self.one_phase)

    def remaining(self, now: float) -> float:
        """s until the values lapse; 0: they have, or nothing is set."""
        return max(0.0, self.until - now) if self.anything else 0.0

    def applied(self, request: SetLimits, now: float) -> Values:
        """What the values are after ``request``; each request renews all of them.

        Raises:
            RefusedError: the request cannot be taken, as a whole.
        """
        request.check()
        enabled = self.enabled
        if request.give_enabled_back:
            enabled = None
        elif request.set_enabled:
            enabled = request.enabled
        timeout = request.timeout if request.set_timeout else self.timeout
        return Values(
            enabled=enabled,
            amperage=request.amperage_limit if request.set_amperage_limit else self.amperage,
            power=request.power_limit if request.set_power_limit else self.power,
            one_phase=request.one_phase_limit if request.set_one_phase_limit else self.one_phase,
            phase_rotation=(request.phase_rotation if request.set_phase_rotation
                            else self.phase_rotation),
            timeout=timeout, until=now + timeout,
            client=''.join(c for c in request.client if c.isprintable())[:CLIENT_LENGTH])

    # -- what they mean --------------------------------------------------------------------------
    def limit(self, supply: Conversion) -> float:
        """A per phase while the values are valid; NaN: no opinion."""
        if self.enabled is False:
            return 0.0
        amperage = 0.0 if self.amperage < MIN_AMPERAGE else self.amperage
        by_power = supply.amperage(self.power)
        if self.power < MIN_POWER or by_power < STOP_AMPERAGE:
            by_power = 0.0
        return lower(amperage, by_power)

    def course(self, now: float, supply: Conversion, hold: float) -> Course:
        """What is allowed from ``now`` on; ``hold``: A per phase after a lapse, NaN for none."""
        if not self.anything:
            return Course()
        if now >= self.until:
            return Course(hold, after=hold)
        limit = self.limit(supply)
        if self.doubtful:
            limit = lower(limit, hold)
        return Course(limit, self.one_phase or self._better_on_one(supply), self.until, hold)

    def _better_on_one(self, supply: Conversion) -> bool:
        return self.power >= MIN_POWER and supply.better_on_one(self.power)

    def words(self, now: float, supply: Conversion, hold: float) -> str:
        """The values for a person, in one line."""
        if not self.anything:
            return 'API: no limit is set'
        parts = []
        if self.enabled is False:
            parts.append('a pause')
        if not math.isnan(self.amperage):
            parts.append(f'{self.amperage:g} A' + (' (less than 6 A: 0 A)'
                                                   if self.amperage < MIN_AMPERAGE else ''))
        if not math.isnan(self.power):
            amperage = supply.amperage(self.power)
            parts.append(f'{self.power:g} W ' + (
                f'(less than {MIN_POWER:g} W: 0 A)' if self.power < MIN_POWER else
                f'({amperage:.2f} A on {supply.phases} x {supply.mean_voltage:.0f} V'
                f'{self._too_little(amperage, supply)})'))
        if self.one_phase:
            parts.append('one phase')
        if not parts:
            parts.append('enabled')
        what = f'API: {", ".join(parts)} set by {self.client or "a client"}'
        if now < self.until:
            doubt = ', or less: the clock is not sure' if self.doubtful else ''
            return f'{what}, {self.until - now:.0f} s left{doubt}'
        return f'{what} has lapsed' + ('' if math.isnan(hold) else f', {hold:g} A is held')

    def _too_little(self, amperage: float, supply: Conversion) -> str:
        """What a power limit of less than 6 A per phase comes to, in words; '' for more."""
        if not amperage < STOP_AMPERAGE:
            return ''
        if self._better_on_one(supply):
            return ': less than 6 A, so one phase is to be used'
        one = supply.amperage(self.power, 1)
        if supply.phases > 1 and one >= MIN_AMPERAGE:
            return (f': less than 6 A, so 0 A; one phase would have {one:.1f} A, but this charge '
                    'point cannot switch to it')
        return ': less than 6 A, so 0 A'

    def document(self, now: float, persistent: bool) -> Limits:
        """The values as clients read them."""
        return Limits(self.enabled is not False, self.amperage, self.power, self.timeout,
                      self.remaining(now), self.one_phase, self.phase_rotation, persistent)

    # -- how they are kept -----------------------------------------------------------------------
    def stored(self, present: Moment) -> dict[str, Any]:
        """The values as JSON can carry them, with what remained at ``present``."""
        def known(value: float) -> float | None:
            return None if math.isnan(value) else value

        return {'enabled': self.enabled, 'amperage': known(self.amperage),
                'power': known(self.power), 'one_phase': self.one_phase,
                'phase_rotation': self.phase_rotation, 'timeout': self.timeout,
                'client': self.client, 'doubtful': self.doubtful,
                'remaining': self.remaining(present.now), 'at': asdict(present)}


def restored(stored: Mapping[str, Any], beat: Moment | None, present: Moment) -> Values:
    """The values again after a restart.

    Args:
        stored: what ``Values.stored`` gave.
        beat: the last moment that is known of since, if any.
        present: now.

    Raises:
        ValueError: that is not what ``stored`` gives.
    """
    try:
        enabled = stored['enabled']
        remaining = float(stored['remaining'])
        values = Values(
            enabled=enabled if enabled is None else bool(enabled),
            amperage=_number(stored['amperage'], MAX_AMPERAGE),
            power=_number(stored['power'], MAX_POWER), one_phase=bool(stored['one_phase']),
            phase_rotation=bool(stored['phase_rotation']), timeout=float(stored['timeout']),
            client=str(stored['client']), doubtful=bool(stored['doubtful']))
        at = Moment(**stored['at'])
        if not (TIMEOUTS[0] <= values.timeout <= TIMEOUTS[1] and remaining >= 0.0):
            raise ValueError(f'timeout {values.timeout}, remaining {remaining}')
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'the stored API limits cannot be read ({error!r}): {stored}') from error
    passed, whole = proven(at, beat, present)
    left = min(remaining, values.timeout) - passed
    if left <= 0.0:
        return values
    return replace(values, until=present.now + left, doubtful=values.doubtful or not whole)


def _number(value: float | None, high: float) -> float:
    if value is None:
        return NAN
    if not 0.0 <= float(value) <= high:
        raise ValueError(f'{value} is not within 0 to {high:g}')
    return float(value)
