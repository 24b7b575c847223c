"""ros2-http-gateway: `BENCH_HTTP_GATEWAY=DIR python http_gateway.py PORT`.

Its frames are server-sent events, and it does not serve without a token. DIR holds it and, where
ROS 2 is from wheels, the folder rosidl_runtime_py of the repository ros2/rosidl_runtime_py:
`pip install --target DIR ros2-http-gateway`. Its default executor calls nothing back with these
wheels, so it has the other one.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

TOKEN = b'bench'
CONFIG = """
endpoints:
  /charging:
    topic: /charger/charging
    type: charger_interfaces/msg/Charging
    stale_after_ms: 2000
    roles: [viewer]
auth: {{ tokens: [{{ token_sha256: "{digest}", user: bench, roles: [viewer] }}] }}
ros: {{ executor: multithreaded }}
audit: {{ sink: file, path: /dev/null }}
sse: {{ path: /events, include: [/charging], max_clients: 600 }}
http: {{ bind: 127.0.0.1, port: {port}, base_path: /api/v1 }}
"""


def main() -> None:
    sys.path.append(os.environ['BENCH_HTTP_GATEWAY'])
    from ros2_http_gateway.cli import main as serve  # noqa: PLC0415
    config = Path(tempfile.mkdtemp()) / 'gateway.yaml'
    config.write_text(CONFIG.format(
        port=sys.argv[1], digest=hashlib.sha256(TOKEN).hexdigest()))
    sys.argv[1:] = [str(config)]
    print('serving', flush=True)
    serve()


if __name__ == '__main__':
    main()
