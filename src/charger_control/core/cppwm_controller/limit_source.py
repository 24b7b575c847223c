"""One limit source as the controller hears it: its validity and its silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from charger_control.core.heard import Heard
from charger_control.core.limits import SILENCE, watched
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.units import NAN


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
    """The last word of one limit source; of several voices the lowest (core/voices.py).

    Args:
        name: 'hw', 'smart_charging', 'api', ...
        mandatory: a source that must have an opinion (hw): its NaN, and its silence of SILENCE s,
            count as 0 A.
    """

    def __init__(self, name: str, *, mandatory: bool = False) -> None:
        self.name = name
        self.refused = 0
        self.contested = False
        self._mandatory = mandatory
        self._word: Heard[AmperageLimit] | None = None

    def hear(self, heard: Heard[AmperageLimit]) -> bool:
        """Takes a word; False if it was refused, which counts as silence."""
        limit = heard.value
        if limit.refusal() or (self._mandatory and math.isnan(limit.amperage)):
            self.refused += 1
            return False
        if self._mandatory:
            heard = replace(heard, value=watched(limit))
        self._word = heard
        self.contested = heard.contested
        return True

    def opinion(self, now: float) -> Opinion:
        """What the source means now."""
        word = self._word
        if word is None:
            return Opinion(NAN, unheard=True, silent=True)
        limit, silence = word.value, word.silence(now)
        silent = silence > SILENCE
        if silence <= limit.valid_for:
            return Opinion(limit.amperage, limit.phases, limit.reason, silent=silent)
        reason = f'{self.name} is silent' if silent else f'{self.name}: lapsed'
        return Opinion(limit.lost_amperage, 0, reason, silent=silent)


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
