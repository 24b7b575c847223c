"""rosbridge_suite's own WebSocket server: `BENCH_ROSBRIDGE=DIR python rosbridge.py PORT`.

DIR holds its sources (a checkout of RobotWebTools/rosbridge_suite, 2.x) and, in DIR/packages, what
it needs from PyPI (`pip install --target DIR/packages tornado pymongo`). Nothing of it is changed;
its one message package is left out, because it only tells who is connected.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

PLACE = Path(os.environ['BENCH_ROSBRIDGE'])
SERVER = PLACE / 'rosbridge_server'


class NobodyTold:
    """In the place of its ClientManager, which publishes messages of its own package."""

    def __init__(self, node: object) -> None:
        pass

    def add_client(self, client: object, address: object) -> None:
        pass

    def remove_client(self, client: object, address: object) -> None:
        pass


def main() -> None:
    sys.path[:0] = [str(SERVER / 'src'), str(PLACE / 'rosbridge_library' / 'src')]
    sys.path.append(str(PLACE / 'packages'))
    manager = types.ModuleType('rosbridge_server.client_manager')
    manager.ClientManager = NobodyTold  # type: ignore[attr-defined]
    sys.modules['rosbridge_server.client_manager'] = manager
    script = SERVER / 'scripts' / 'rosbridge_websocket.py'
    spec = importlib.util.spec_from_file_location('rosbridge_websocket', script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    port, sys.argv[1:] = sys.argv[1], []
    sys.argv += ['--port', port, '--address', '127.0.0.1']
    module.main([])


if __name__ == '__main__':
    main()
