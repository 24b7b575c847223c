"""The budget of one team: the least of what bounds it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from charger_control.core.heard import Heard, RecentMaximum
from charger_control.core.messages.budget import Dimming, TeamBudget
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.power import STOP_AMPERAGE, PhaseVoltages
from charger_control.core.units import NAN, Phases
from charger_control.core.vcse.config import VcseConfig
from charger_control.core.vcse.grid_current import LARGEST_AMPERAGE, GridCurrents
from charger_control.core.vcse.grid_watch import GridWatch
from charger_control.core.vcse.phases_used import ALL_PHASES, PhasesUsed
from charger_control.core.vcse.types import ParentAllocation

if TYPE_CHECKING:  # the team's own modules import this package
    from charger_control.core.messages.team import TeamRequest

PHASES = 3


class Vcse:
    """The budget of one team.

    Attributes:
        own_limit: A per phase, the most that the team could use now whatever its parent gives:
            more is not asked for.
        refused, last_refusal: inputs that could not be taken, and why.
    """

    def __init__(self, config: VcseConfig) -> None:
        self._config = config
        self._watch = GridWatch(config)
        self._currents = GridCurrents(config.feed_in)
        self._why_not = ''
        self._grid: Heard[MeterReading] | None = None
        self._dimming: Heard[Dimming] | None = None
        self._voltages = PhaseVoltages(config.grid_meter_lost)
        self._last: Phases = (0.0, 0.0, 0.0)
        self._given = RecentMaximum(config.fall_time)
        self._used = PhasesUsed(config.fall_time)
        self._started: float | None = None
        self.own_limit = 0.0
        self.refused = 0
        self.last_refusal = ''

    @property
    def grid_fuse(self) -> Phases:
        """What the point of supply carries, A on each phase."""
        return self._config.grid_fuse or self._config.fuse

    @property
    def knows_others(self) -> bool:
        """Whether the other loads have been seen beside what the team draws."""
        return self._watch.known

    def hear_team(self, heard: Heard[TeamRequest]) -> None:
        """Takes the team's total request: what it draws, and how old that is."""
        request = heard.value
        self._watch.hear_team(heard.at - max(0.0, request.amperage_age), request.amperage)

    def hear_grid(self, heard: Heard[MeterReading]) -> str:
        """Takes a reading of the grid meter; returns '' or why it renews nothing.

        One with an error, or that does not tell the current of each phase, renews nothing. Without
        ``grid_meter`` only its voltage counts, for the external power limit.
        """
        reading = heard.value
        if reading.error:
            self._why_not = reading.error
            return reading.error
        self._voltages.hear(heard)
        if not self._config.grid_meter:
            return ''
        try:
            current = self._currents.of(reading)
        except ValueError as error:
            self._why_not = str(error)
            self._refuse(self._why_not)
            return self._why_not
        at = heard.at - max(0.0, reading.age)
        if self._grid is not None and at < self._grid.at:
            return ''
        self._why_not = ''
        self._grid = Heard(reading, at)
        given = None if self._started is None else self._last
        self._watch.hear_grid(heard.at, at, current.amperage, given, current.together)
        return ''

    def hear_dimming(self, heard: Heard[Dimming]) -> str:
        """Takes a heartbeat; returns '' or why it was refused (then it counts as silence)."""
        why = heard.value.refusal()
        if why:
            self._refuse(why)
        else:
            self._dimming = heard
        return why

    def step(self, now: float, parent: ParentAllocation | None = None) -> TeamBudget:
        """The budget now.

        Args:
            now: s.
            parent: what the parent team's lease allows; None counts as nothing where a parent is
                configured.
        """
        config = self._config
        turn_left = NAN
        bounds: list[tuple[Phases, str]] = [(config.fuse, 'fuse')]
        valid_for = config.valid_for
        if config.grid_meter:
            bounds.append(self._beside_others(now))
        if config.dimming:
            bounds.append(self._dimmed(now))
        self.own_limit = max(0.0, *(min(b[p] for b, _ in bounds) for p in range(PHASES)))
        if config.parent:
            given = parent or ParentAllocation(0.0, 0.0, 'no allocation yet')
            lent = given.amperage if given.amperage >= 0.0 else 0.0  # NaN is nothing
            usable = given.phases_in_use & self._used.askable(now)
            l1, l2, l3 = (lent if usable & 1 << p else 0.0 for p in range(PHASES))
            turn_left = given.turn_left
            bounds.append(((l1, l2, l3), f'team {config.parent}: {given.reason}'))
            if given.ends_in > 0.0:
                valid_for = min(valid_for, given.ends_in)
        values, reasons = [], []
        for p in range(PHASES):
            amperage, reason = min(((b[p], r) for b, r in bounds), key=lambda entry: entry[0])
            values.append(max(0.0, amperage))
            if reason not in reasons:
                reasons.append(reason)
        self._last = (values[0], values[1], values[2])
        self._given.update(now, max(self._last))
        self._used.give(now, self._last)
        if self._started is None:
            self._started = now
        return TeamBudget(config.team, self._last, valid_for, '; '.join(reasons), turn_left)

    def wish(self, now: float, total: TeamRequest) -> TeamRequest:
        """What to ask of the parent team (Member.request).

        Not more than could be used now. Whatever the team says, it may be drawing all that it was
        given within ``fall_time``, on every phase that it was given on: a leader that has just
        taken over does not know better. As long after its own start the VCSE does not know either.

        Args:
            now: s, of a step that was made.
            total: what the team's leader asked last (Leader.total).
        """
        given = self._given.update(now, max(self._last))
        asked = total.phases_in_use or ALL_PHASES
        self._used.ask(now, asked)
        phases = asked | self._used.given(now)
        if self._started is None or now - self._started < self._config.fall_time:
            given, phases = LARGEST_AMPERAGE, ALL_PHASES
        return replace(total, requested_amperage=min(total.requested_amperage, self.own_limit),
                       drawable_amperage=max(total.drawable_amperage, given),
                       phases_in_use=phases, phases_possible=phases, phases_untried=0,
                       fall_time=self._config.fall_time)

    def _beside_others(self, now: float) -> tuple[Phases, str]:
        """What the other loads leave of the point of supply."""
        config, fuse = self._config, self.grid_fuse
        most = config.other_loads_max
        silence = math.inf if self._grid is None else self._grid.silence(now)
        others, limits = self._watch.others(now), self._watch.limits(now)
        if not self._watch.known or silence > config.grid_meter_lost:
            words = 'never heard' if self._grid is None else f'silent for {silence:.0f} s'
            lost: Phases = fuse if most is None else (most, most, most)
            why = f' ({self._why_not})' if self._why_not else ''
            return self._left(lost), f'grid meter {words}: other loads counted at their most{why}'
        left = _least(self._left(others), limits)
        if silence > config.grid_meter_silent:
            return _least(left, self._last), (
                f'grid meter silent for {silence:.0f} s: the budget does not rise')
        if left != self._left(others):
            return left, 'the supply carries more than its fuse: lowered by the excess'
        return left, 'other loads on the grid meter'

    def _left(self, others: Phases) -> Phases:
        fuse, margin = self.grid_fuse, self._config.margin
        return (fuse[0] - margin - others[0], fuse[1] - margin - others[1],
                fuse[2] - margin - others[2])

    def _dimmed(self, now: float) -> tuple[Phases, str]:
        """What the external power limit leaves: the same on each phase."""
        config, heard = self._config, self._dimming
        if heard is None or heard.silence(now) > config.dimming_timeout:
            power = config.dimming_failsafe_power
            reason = f'no dimming heartbeat: {power:g} W'
        elif math.isnan(heard.value.power):
            return (math.inf, math.inf, math.inf), 'not dimmed'
        else:
            power = heard.value.power
            reason = f'dimmed to {power:g} W'
        volts = sum(self._voltages.now(now))
        amperage = power / volts
        if 0.0 < amperage < STOP_AMPERAGE:
            reason += (f': {amperage:.2f} A on each of three phases at {volts / PHASES:.0f} V, '
                       'less than the 6 A that a vehicle needs')
        return (amperage, amperage, amperage), reason

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.last_refusal = why


def _least(one: Phases, other: Phases) -> Phases:
    """The lower of both on each phase."""
    return min(one[0], other[0]), min(one[1], other[1]), min(one[2], other[2])
