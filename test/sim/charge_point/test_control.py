import json
import socket
from collections.abc import Iterator

import pytest

from charger_control.sim.charge_point.control import ControlClient
from charger_control.sim.charge_point.simulator import Simulator, SimulatorOptions, running


@pytest.fixture
def client(simulator: Simulator, options: SimulatorOptions) -> Iterator[ControlClient]:
    assert options.control is not None
    with ControlClient(options.control) as client:
        yield client


def test_does_and_tells_the_truth(client: ControlClient) -> None:
    assert client.truth()['vehicle'] is None
    client.do('plug_in', vehicle={'preset': 'ideal', 'soc': 0.5})
    truth = client.truth()
    assert truth['vehicle']['soc'] == 0.5
    assert truth['plant']['letter'] == 'B'
    assert truth['connected'] is True
    client.do('silence', device='meter')
    assert client.truth()['faults'] == {'pilot': [], 'meter': ['silence']}


@pytest.mark.parametrize(('action', 'arguments', 'error'), [
    ('unplug', {}, 'unplug: no vehicle is plugged in'),
    ('fly', {}, "do: 'fly' (allowed: plug_in"),
    ('silence', {'device': 'metre'}, "silence.device: 'metre' (allowed: meter, pilot, all)"),
    ('put_limits', {'body': {}}, 'put_limits: needs --api URL'),
    ('set_vehicle', {'vehicle': {'gain': 1.0}}, 'set_vehicle: no vehicle is plugged in'),
])
def test_refuses_in_words(client: ControlClient, action: str, arguments: dict[str, object],
                          error: str) -> None:
    with pytest.raises(ValueError) as refused:
        client.do(action, **arguments)
    assert error in str(refused.value)


def test_plugged_in_twice(client: ControlClient) -> None:
    client.do('plug_in')
    with pytest.raises(ValueError, match='plugged in already'):
        client.do('plug_in')


@pytest.mark.parametrize('line', [
    b'nonsense', b'7', b'[]', b'{}', b'{"do": 3}', b'{"do": [1]}', b'\xff\xfe', b'[' * 50_000])
def test_bad_requests_get_an_answer_and_the_connection_stays(
        client: ControlClient, options: SimulatorOptions, line: bytes) -> None:
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(2.0)
    raw.connect(str(options.control))
    raw.sendall(line + b'\n{"do": "query"}\n')
    answers = raw.makefile('r')
    first = json.loads(answers.readline())
    assert first['ok'] is False
    assert first['error']
    assert json.loads(answers.readline())['truth']['board']['up'] is True
    answers.close()
    raw.close()


def test_endless_request_is_hung_up_on(client: ControlClient, options: SimulatorOptions) -> None:
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(2.0)
    raw.connect(str(options.control))
    with pytest.raises(OSError):        # reset or broken pipe
        for _ in range(100):
            raw.sendall(b'x' * 65536)
    raw.close()
    assert client.truth()['board']['up'] is True


def test_follows_events(client: ControlClient, options: SimulatorOptions) -> None:
    client.follow()
    assert options.control is not None
    with ControlClient(options.control) as other:
        other.do('plug_in', vehicle='ideal')
    assert client.wait_for('letter', letter='B')['was'] == 'A'
    assert client.wait_for('contactor', closed=True)
    assert client.truth()['plant']['contactor_closed'] is True      # asks in between


def test_request_in_pieces_and_client_that_hangs_up(
        client: ControlClient, options: SimulatorOptions) -> None:
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(2.0)
    raw.connect(str(options.control))
    raw.sendall(b'{"do": "qu')
    raw.sendall(b'ery"}\n{"do": "fol')
    assert json.loads(raw.makefile('r').readline())['ok'] is True
    raw.close()
    assert client.truth()['board']['up'] is True


def test_follower_that_does_not_read_is_dropped(simulator: Simulator,
                                                options: SimulatorOptions) -> None:
    assert options.control is not None
    with ControlClient(options.control) as idle, ControlClient(options.control) as other:
        idle.follow()
        for _ in range(20_000):
            simulator.log.write(0.0, 'noise', text='x' * 200)
        assert other.truth()['board']['up'] is True
        with pytest.raises(ConnectionError):
            idle.wait_for('never')


def test_socket_left_behind_is_replaced_and_a_file_is_not(options: SimulatorOptions) -> None:
    assert options.control is not None
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(options.control))
    left.close()
    with running(options):
        assert options.control.stat().st_mode & 0o777 == 0o600
    assert not options.control.exists()
    options.control.write_text('precious')
    with pytest.raises(FileExistsError, match='is there and not a socket'):
        Simulator(options)
    assert not options.link.is_symlink()            # what had been made is undone
