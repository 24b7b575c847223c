"""Read by every Python process whose PYTHONPATH leads here: its kernel is a folder.

CHARGER_FAKE_ROOT names it; GPIO lines are those of file_lines.py.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

from file_lines import line, set_line


def install(root: Path) -> None:
    """Makes the driver and the supervisor's withdrawal use it."""
    import gpiod  # noqa: PLC0415

    from charger_control.drivers.pilots.linux import factory as linux_factory  # noqa: PLC0415

    def request_lines(path: str, consumer: str, config: dict[int, gpiod.LineSettings]
                      ) -> SimpleNamespace:
        if not Path(path).exists():
            raise OSError(errno.ENOENT, 'no such chip')
        if any(line(root, number)[0] for number in config):
            raise OSError(errno.EBUSY, 'Device or resource busy')
        outputs = [number for number, settings in config.items()
                   if settings.direction is gpiod.line.Direction.OUTPUT]
        for number in outputs:
            set_line(root, number, os.getpid(),
                     config[number].output_value is gpiod.line.Value.ACTIVE)

        def get_value(number: int) -> gpiod.line.Value:
            closed = (root / 'gpio' / f'{number}.in').read_text().startswith('1')
            return gpiod.line.Value.ACTIVE if closed else gpiod.line.Value.INACTIVE

        return SimpleNamespace(
            set_value=lambda number, value: set_line(root, number, os.getpid(),
                                                     value is gpiod.line.Value.ACTIVE),
            get_value=get_value, release=lambda: [set_line(root, number, 0, False)
                                                  for number in outputs])

    gpiod.request_lines = request_lines
    for function in (linux_factory.open_pilot, linux_factory.withdraw):
        assert function.__defaults__ == (Path('/'),)
        function.__defaults__ = (root,)


if 'CHARGER_FAKE_ROOT' in os.environ:
    install(Path(os.environ['CHARGER_FAKE_ROOT']))
