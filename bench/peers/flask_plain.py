"""The plainest bridge: Flask and flask-sock on werkzeug, one queue and one json.dumps a client.

`python flask_plain.py PORT`; hears the topic `charging` of namespace /charger.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from typing import Any

import rclpy
from flask import Flask, jsonify
from flask_sock import Sock

from charger_control.bridges.graph import documents
from charger_control.ros import interfaces
from charger_control.ros.node import BlockNode

clients: set[queue.SimpleQueue[Any]] = set()
latest: dict[str, Any] = {}
app = Flask(__name__)
sock = Sock(app)


@app.get('/api/v1/charging')
def charging() -> Any:
    return jsonify(latest)


@sock.route('/api/ws')
def stream(ws: Any) -> None:
    mine: queue.SimpleQueue[Any] = queue.SimpleQueue()
    clients.add(mine)
    try:
        while True:
            ws.send(json.dumps({'topic': 'charging', 'message': mine.get()},
                               separators=(',', ':')))
    finally:
        clients.discard(mine)


class Hearer(BlockNode):
    def __init__(self) -> None:
        super().__init__('flask_plain', (), namespace='/charger')
        self.hear(interfaces.CHARGING, self._hear)

    def _hear(self, heard: Any) -> None:
        latest.update(documents.charging(heard.value))
        for one in list(clients):
            one.put(dict(latest))


def main() -> None:
    rclpy.init(args=[])
    node = Hearer()
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    app.run('127.0.0.1', int(sys.argv[1]), threaded=True)


if __name__ == '__main__':
    import logging
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    main()
