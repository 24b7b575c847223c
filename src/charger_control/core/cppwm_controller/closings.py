"""How often the contactor has closed within an hour, over restarts too."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from charger_control.core.moment import Moment, proven

HOUR = 3600.0


class Closings:
    """Closings of the contactor within the last hour, at most ``per_hour`` of them.

    Attributes:
        version: grows with each change of what is to be stored.
    """

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._times: deque[float] = deque()
        self._closed = False
        self.version = 0

    @property
    def count(self) -> int:
        """Within the hour before the last step."""
        return len(self._times)

    @property
    def closed(self) -> bool:
        """Whether the contactor is closed, as far as is known."""
        return self._closed

    @property
    def too_many(self) -> bool:
        """Whether the contactor has closed as often as is allowed in an hour."""
        return len(self._times) >= self._per_hour

    def step(self, now: float, closed: bool | None) -> None:
        """Takes the state of the contactor at ``now`` s; None: not known, it is as it was."""
        if closed is not None and closed != self._closed:
            self._closed = closed
            self.version += 1
            if closed:
                self._times.append(now)
        while self._times and now - self._times[0] > HOUR:
            self._times.popleft()

    # -- how they are kept -----------------------------------------------------------------------
    def stored(self, present: Moment) -> dict[str, Any]:
        """What is to be kept, as JSON can carry it."""
        return {'ago': [present.now - at for at in self._times], 'closed': self._closed,
                'at': asdict(present)}

    def restore(self, stored: Mapping[str, Any], beat: Moment | None, present: Moment) -> None:
        """Goes on after a restart of the process, or of the machine.

        Only the time that has certainly passed counts: a clock that was set forgets no closing.

        Args:
            stored: what ``stored`` gave.
            beat: the last moment that is known of since, if any.
            present: now.

        Raises:
            ValueError: that is not what ``stored`` gives.
        """
        try:
            ago, closed, at = list(stored['ago']), stored['closed'], Moment(**stored['at'])
            if not isinstance(closed, bool) or not all(0.0 <= float(s) < math.inf for s in ago):
                raise ValueError('a time or a state that cannot be')
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'the stored closings of the contactor cannot be read ({error!r}): '
                             f'{stored}') from error
        passed, _ = proven(at, beat, present)
        self._times = deque(sorted(present.now - passed - float(s) for s in ago))
        self._closed = closed

    def restore_unknown(self, now: float) -> None:
        """What was stored cannot be read: all but one closing of this hour count as done."""
        self._times = deque([now] * (self._per_hour - 1))
