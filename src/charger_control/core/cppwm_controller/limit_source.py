"""One limit source as the controller hears it: validity, silence, and a second publisher."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from charger_control.core.heard import Heard
from charger_control.core.limits import NAN, SILENCE, AmperageLimit, in_force, watched


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a source means now.

    Attributes:
        amperage: A per phase; NaN: no opinion.
        phases: 0, 1 or 3.
        reason: for a person.
        unheard: the source has not spoken since start.
        silent: it has not spoken for SILENCE s.
    """

    amperage: float
    phases: int = 0
    reason: str = ''
    unheard: bool = False
    silent: bool = False


class LimitSource:
    """The last words of one limit source.

    Args:
        name: 'hw', 'smart_charging', 'api', ...
        mandatory: a source that must have an opinion (hw): its NaN, and its silence of SILENCE s,
            count as 0 A.
    """

    def __init__(self, name: str, *, mandatory: bool = False) -> None:
        self.name = name
        self.refused = 0
        self.publishers = 1
        self._mandatory = mandatory
        self._words: deque[Heard[AmperageLimit]] = deque()

    def hear(self, heard: Heard[AmperageLimit]) -> bool:
        """Takes a word; False if it was refused, which counts as silence."""
        limit = heard.value
        if limit.refusal() or (self._mandatory and math.isnan(limit.amperage)):
            self.refused += 1
            return False
        if self._mandatory:
            heard = Heard(watched(limit), heard.at)
        self._words.append(heard)
        while len(self._words) > 1 and heard.at - self._words[0].at > SILENCE:
            self._words.popleft()
        return True

    def opinion(self, now: float) -> Opinion:
        """What the source means now. With a second publisher, the lowest word of SILENCE s."""
        if not self._words:
            return Opinion(NAN, unheard=True, silent=True)
        last = self._words[-1]
        candidates = [last]
        if self.publishers > 1:
            candidates += [w for w in self._words if w.silence(now) <= SILENCE]
        amperages = [a for a in (in_force(w, now) for w in candidates) if not math.isnan(a)]
        phases = [w.value.phases for w in candidates if w.silence(now) <= w.value.valid_for]
        silent = last.silence(now) > SILENCE
        reason = last.value.reason
        if last.silence(now) > last.value.valid_for:
            reason = f'{self.name} is silent' if silent else f'{self.name}: lapsed'
        return Opinion(min(amperages, default=NAN), min(filter(None, phases), default=0),
                       reason, silent=silent)


def lowest(opinions: Mapping[str, Opinion]) -> tuple[float, str]:
    """The least of all limits and whose it is; 0 A while there is none at all."""
    valid = [(o.amperage, name) for name, o in opinions.items() if not math.isnan(o.amperage)]
    return min(valid) if valid else (0.0, '')


def fewest_phases(opinions: Mapping[str, Opinion], *, switches: bool) -> tuple[int, str]:
    """The fewest phases that anybody asks for, and who does.

    ``switches``: the hardware can; else only what is wired (hw) counts.
    """
    wanted = [(o.phases, name) for name, o in opinions.items()
              if o.phases and (switches or name == 'hw')]
    return min(wanted) if wanted else (0, '')
