"""Modbus TCP against a scripted peer: which answer is taken, when the connection is given up."""

import contextlib
import socket
import threading

import pytest

from charger_control.drivers.interfaces import AnswerError, DeviceError, PortLostError
from charger_control.drivers.lines.modbus_rtu import READ_COILS, READ_HOLDING, READ_INPUT
from charger_control.drivers.lines.modbus_tcp import LOST_AFTER, ModbusTcpLine

ANSWER_TIME = 0.1


class Peer:
    """Takes one connection after the other; ``replies`` are made of each request's bytes."""

    def __init__(self):
        self.replies, self.requests = [], []
        self._server = socket.create_server(('127.0.0.1', 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(512):
                    self.requests.append(data)
                    reply = self.replies.pop(0)(data) if self.replies else b''
                    if reply is None:
                        break
                    connection.sendall(reply)

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def framed(request, unit, pdu, transaction=None):
    number = request[:2] if transaction is None else transaction.to_bytes(2, 'big')
    return number + bytes(2) + (len(pdu) + 1).to_bytes(2, 'big') + bytes((unit,)) + pdu


def registers(*values):
    pdu = bytes((4, 2 * len(values))) + b''.join(v.to_bytes(2, 'big') for v in values)
    return lambda request: framed(request, 180, pdu)


@pytest.fixture
def peer():
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def line(peer):
    line = ModbusTcpLine('127.0.0.1', peer.port)
    line.open()
    yield line
    line.close()


def read(line):
    return line.read(180, READ_INPUT, 100, 2, ANSWER_TIME)


def test_requests_and_values_as_bytes(peer, line):
    peer.replies = [registers(0x43, 32),
                    lambda request: framed(request, 180, bytes((1, 1, 0b101))),
                    lambda request: request, lambda request: request,
                    lambda request: framed(request, 180, request[7:12])]
    assert read(line) == [0x43, 32]
    assert line.read_bits(180, READ_COILS, 400, 3, ANSWER_TIME) == [1, 0, 1]
    line.write_bit(180, 400, True, ANSWER_TIME)
    line.write_one(180, 300, 16, ANSWER_TIME)
    line.write(180, 300, [16, 17], ANSWER_TIME)
    assert [request.hex(' ') for request in peer.requests] == [
        '00 01 00 00 00 06 b4 04 00 64 00 02', '00 02 00 00 00 06 b4 01 01 90 00 03',
        '00 03 00 00 00 06 b4 05 01 90 ff 00', '00 04 00 00 00 06 b4 06 01 2c 00 10',
        '00 05 00 00 00 0b b4 10 01 2c 00 02 04 00 10 00 11']
    assert line.counters(180)['answers'] == 5


def test_a_late_answer_is_counted_and_not_taken_for_the_next(peer, line):
    peer.replies = [lambda request: b'',
                    lambda request: framed(request, 180, bytes((4, 4, 0, 1, 0, 2)), 1)
                    + framed(request, 180, bytes((4, 4, 0, 3, 0, 4)))]
    with pytest.raises(AnswerError, match='does not answer'):
        read(line)
    assert read(line) == [3, 4]
    assert line.counters(180)['late_answers'] == 1


@pytest.mark.parametrize(('kind', 'reply'), [
    ('wrong_ids', lambda r: framed(r, 181, bytes((4, 4, 0, 1, 0, 2)))),
    ('wrong_answers', lambda r: framed(r, 180, bytes((3, 4, 0, 1, 0, 2)))),
    ('wrong_answers', lambda r: framed(r, 180, bytes((4, 2, 0, 1)))),
    ('wrong_answers', lambda r: framed(r, 180, bytes((4, 2, 0, 1, 0, 2)))),
    ('exceptions', lambda r: framed(r, 180, bytes((0x84, 2)))),
    ('timeouts', lambda r: framed(r, 180, bytes((0x84, 0x0B)))),
    ('timeouts', lambda r: framed(r, 180, bytes((4, 4, 0, 1, 0, 2)))[:9])])
def test_what_does_not_fit_is_refused_and_counted(peer, line, kind, reply):
    peer.replies = [reply]
    with pytest.raises(AnswerError) as error:
        read(line)
    assert error.value.kind == kind and line.counters(180)[kind] == 1
    assert line.counters(180)['answers'] == 0


def test_after_three_silences_it_connects_anew(peer, line):
    for _ in range(LOST_AFTER - 1):
        with pytest.raises(AnswerError):
            read(line)
    with pytest.raises(PortLostError, match='connecting anew'):
        read(line)
    line.close()
    line.open()
    peer.replies = [registers(1, 2)]
    assert read(line) == [1, 2]


def test_what_is_no_modbus_tcp_and_a_closed_connection_are_a_lost_port(peer, line):
    peer.replies = [lambda request: b'HTTP/1.1 400 Bad Request\r\n\r\n']
    with pytest.raises(PortLostError, match='does not speak Modbus TCP'):
        read(line)
    assert line.counters(180)['garbage'] == 1
    line.close()
    line.open()
    peer.replies = [lambda request: None]
    with pytest.raises(PortLostError):
        read(line)


def test_a_host_that_is_not_there_is_named(peer):
    peer.close()
    with pytest.raises(DeviceError, match='cannot be reached'):
        ModbusTcpLine('127.0.0.1', peer.port).open()
    with pytest.raises(PortLostError, match='is not connected'):
        ModbusTcpLine('127.0.0.1', peer.port).read(1, READ_HOLDING, 0, 1, ANSWER_TIME)
