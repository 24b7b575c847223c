"""ModbusLine over a pty: frames as on the wire, and everything that pymodbus would let pass."""

import threading
import time

import pytest
from fake_devices import Evse, Sdm630
from fake_rtu import (
    Line,
    exception,
    fewer_registers,
    garbage,
    half,
    in_pieces,
    late,
    noise_before,
    silence,
    wrong_crc,
    wrong_function,
    wrong_unit,
)

from charger_control.drivers.interfaces import AnswerError, PortLostError
from charger_control.drivers.lines.modbus_rtu import READ_HOLDING, READ_INPUT, ModbusLine
from charger_control.drivers.lines.port import SerialSettings

ANSWER_TIME = 0.15


@pytest.fixture
def fake(link):
    with Line(link, {1: Evse(), 2: Sdm630()}) as line:
        yield line


@pytest.fixture
def line(fake):
    line = ModbusLine(str(fake.link), SerialSettings(115200))
    line.open()
    yield line
    line.close()


def read(line, unit=1, address=1000, count=8, function=READ_HOLDING):
    return line.read(unit, function, address, count, ANSWER_TIME)


def test_requests_are_the_bytes_that_the_manuals_show(fake, line):
    fake.units[1].put(4, 0, *[0] * 18)
    read(line, 1, 0, 18, READ_INPUT)
    read(line, 1, 1000, 10)
    read(line, 1, 2000, 18)
    line.write(1, 1000, [1600], ANSWER_TIME)
    assert [request.frame.hex(' ') for request in fake.log] == [
        '01 04 00 00 00 12 70 07',
        '01 03 03 e8 00 0a 45 bd',
        '01 03 07 d0 00 12 c5 4a',
        '01 10 03 e8 00 01 02 06 40 80 28',
    ]


def test_a_recorded_answer_is_read(fake, line):
    # status frame of domain.md 5.2: set 32, offered 0, ready, cable 5, firmware 18, steady 12 V
    frame = bytes.fromhex('010314 0020 0000 0001 0005 0000 0012 0001 0000 0000 0000 21c5')
    fake.fault(1, lambda _: [(0.0, frame)])
    assert read(line, count=10) == [32, 0, 1, 5, 0, 18, 1, 0, 0, 0]


@pytest.mark.parametrize(('fault', 'kind'), [
    (silence, 'timeouts'), (wrong_crc, 'crc_errors'), (half, 'garbage'), (garbage, 'garbage'),
    (wrong_unit, 'wrong_ids'), (wrong_function, 'wrong_answers'),
    (fewer_registers, 'wrong_answers'), (exception(2), 'exceptions'),
])
def test_each_kind_of_wrong_answer_is_refused_and_counted(fake, line, fault, kind):
    fake.fault(1, fault)
    with pytest.raises(AnswerError) as error:
        read(line)
    assert error.value.kind == kind
    assert f'unit 1 on {fake.link} (115200 8N1)' in str(error.value)
    assert line.counters(1)[kind] == 1
    assert read(line)[3] == 32
    assert line.counters(1)['answers'] == 1


def test_a_wrong_acknowledgement_of_a_write_is_refused(fake, line):
    fake.fault(1, lambda frame: [(0.0, bytes.fromhex('011003e90001d079'))])  # 1001, not 1000
    with pytest.raises(AnswerError, match='acknowledged 1 registers at 1001'):
        line.write(1, 1000, [0], ANSWER_TIME)


@pytest.mark.parametrize('fault', [noise_before, in_pieces(0.001)])
def test_noise_before_and_gaps_within_an_answer_are_borne(fake, line, fault):
    fake.fault(1, fault)
    assert read(line)[3] == 32


def test_a_late_answer_is_not_taken_for_the_next_one(fake, line):
    fake.units[1][1003] = 20
    fake.fault(1, late(ANSWER_TIME + 0.15))
    with pytest.raises(AnswerError):
        read(line)
    fake.units[1][1003] = 13
    time.sleep(0.25)  # the answer of before lies in the input now
    assert read(line)[3] == 13
    assert line.counters(1)['late_answers'] == 1


def test_a_late_answer_of_another_unit_does_not_disturb(fake, line):
    fake.fault(2, late(ANSWER_TIME + 0.02))
    with pytest.raises(AnswerError):
        line.read(2, READ_INPUT, 0, 18, 0.02)
    fake.fault(1, late(ANSWER_TIME + 0.08))  # the meter's comes before it
    assert line.read(1, READ_HOLDING, 1000, 8, 1.0)[3] == 32
    assert line.counters(2)['late_answers'] == 1
    assert line.counters(1)['late_answers'] == 0


def test_an_answer_that_is_only_slow_is_awaited(fake, line):
    fake.fault(1, late(ANSWER_TIME * 0.5))
    assert read(line)[3] == 32


def test_a_broken_answer_does_not_cost_the_whole_answer_time(fake, line):
    for fault in (wrong_crc, half):
        fake.fault(1, fault)
        start = time.monotonic()
        with pytest.raises(AnswerError):
            line.read(1, READ_HOLDING, 1000, 8, 2.0)
        assert time.monotonic() - start < 0.5


def test_a_step_of_the_wall_clock_does_not_stall_a_time_out(fake, line, monkeypatch):
    wall = iter(range(10**6, 0, -3600))
    monkeypatch.setattr(time, 'time', lambda: float(next(wall)))
    fake.fault(1, silence)
    start = time.monotonic()
    with pytest.raises(AnswerError):
        read(line)
    assert time.monotonic() - start < 0.5


def test_an_endless_stream_of_noise_ends_with_the_answer_time(fake, line):
    fake.fault(1, lambda frame: [(i * 0.002, b'\x01\x03\x5a') for i in range(150)])
    start = time.monotonic()
    with pytest.raises(AnswerError):
        read(line)
    assert time.monotonic() - start < 0.3


def test_an_unplugged_port_is_told_from_a_silent_device(fake, line):
    fake.fault(1, silence)
    timer = threading.Timer(0.02, fake.unplug)
    timer.start()
    with pytest.raises(PortLostError):
        line.read(1, READ_HOLDING, 1000, 8, 2.0)
    timer.join()
    with pytest.raises(PortLostError):
        read(line)


def test_a_link_that_leads_elsewhere_is_a_lost_port(fake, line, tmp_path):
    other = Line(tmp_path / 'other', {})
    with other:
        fake.fault(1, silence)
        fake.link.unlink()
        fake.link.symlink_to(other.link.resolve())
        with pytest.raises(PortLostError, match='leads elsewhere'):
            read(line)


def test_requests_keep_the_silence_between_frames(fake):
    line = ModbusLine(str(fake.link), SerialSettings(9600))
    line.open()
    for _ in range(3):
        line.read(1, READ_HOLDING, 1000, 8, ANSWER_TIME)
    line.close()
    for (answered, _), request in zip(fake.answered, fake.log[1:], strict=False):
        assert request.at - answered >= 3.5 * 10 / 9600
