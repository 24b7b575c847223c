"""Where the store of a charger lies."""

from __future__ import annotations

import os
from pathlib import Path


def store_file(state_dir: str = '', namespace: str = '/') -> Path:
    """The file of the charger in ``namespace``.

    Args:
        state_dir: the folder; '' for ``~/.local/state/charger_control/<namespace>`` (or under
            ``$XDG_STATE_HOME``, where that is set).
        namespace: the ROS namespace of the charger or the team. The file has its name, so that
            several chargers may be given one folder.
    """
    name = namespace.strip('/').replace('/', '.') or 'charger'
    if state_dir:
        folder = Path(state_dir).expanduser()
    else:
        state = os.environ.get('XDG_STATE_HOME', '')
        base = Path(state) if Path(state).is_absolute() else Path.home() / '.local' / 'state'
        folder = base / 'charger_control' / name
    return folder / f'{name}.sqlite'
