"""What an exception in a block's own code becomes: a fault state of that block, not the end of all.

An exception that leaves a callback of rclpy's executor ends the process, with every other block in
it, and at its next start the same input may be there again. So each callback is guarded: the block
says its safe value, diagnostics name what was raised, and the next tick tries again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.impl.rcutils_logger import RcutilsLogger

from charger_control.ros.diagnostics import Health, Level

REPEAT = 60.0
"""s after which the same exception is logged again, with its traceback."""


class StartError(Exception):
    """A node cannot start now, and may later: its process ends and is started again."""


class EndProcessError(Exception):
    """A process must end and start again; the only exception that a callback may let out."""


@dataclass(slots=True)
class _Fault:
    text: str
    logged_at: float


class Faults:
    """The exceptions of one node, by the callback that raised them."""

    def __init__(self, logger: RcutilsLogger, now: Callable[[], float],
                 make_safe: Callable[[str], None]) -> None:
        """``make_safe``: says the block's safe value, given why; may raise itself."""
        self._logger, self._now, self._make_safe = logger, now, make_safe
        self._present: dict[str, _Fault] = {}
        self.count = 0

    def run(self, place: str, act: Callable[[], None], safe: bool = False) -> str:
        """Calls ``act``; '' or what it raised, in words.

        Args:
            place: what it is, for people; with its next success its fault is over.
            act: what may raise.
            safe: whether the block says its safe value then.
        """
        try:
            act()
        except EndProcessError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            text = f'{type(error).__name__} in {place}: {error}'
            self._note(place, text)
            if safe:
                self._say_safe(text)
            return text
        if self._present:
            self._present.pop(place, None)
        return ''

    def health(self) -> list[Health]:
        """Nothing while nothing was ever raised."""
        if not self.count:
            return []
        values = {'exceptions': self.count}
        if not self._present:
            return [Health('block', message='no fault any more', values=values)]
        said = '; '.join(fault.text for fault in self._present.values())
        return [Health('block', Level.ERROR, f'a fault of the program: {said}. It goes on trying; '
                       'report it with the log', values)]

    def _note(self, place: str, text: str) -> None:
        now = self._now()
        self.count += 1
        fault = self._present.get(place)
        if fault is None or fault.text != text or now - fault.logged_at >= REPEAT:
            # as an exception of the logging module would be: the stack is what a report needs
            self._logger.error(f'{text}\n{traceback.format_exc()}')
            self._present[place] = _Fault(text, now)

    def _say_safe(self, why: str) -> None:
        try:
            self._make_safe(why)
        except Exception as error:  # noqa: BLE001 - as above
            self._note('safe value', f'{type(error).__name__} while saying the safe value: {error}')
