"""What every meter driver must do, over a real pty; the frames are those of data/golden_*.yaml."""

import math

import pytest
from fake_rtu import crc, sealed
from meter_peers import DATA, Golden, peer_of, until

from charger_control.drivers import registry
from charger_control.drivers.codecs.register_table import load
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.port import SerialSettings, open_port
from charger_control.drivers.meters.registers import highest_rate

WITH_TABLE = [driver for driver in registry.METERS if not Golden(driver).pushes]


class Setting:
    """A meter and its peer; the times of the line are those of a pty, not of RS-485."""

    def __init__(self, driver, link, peer):
        self.driver, self.golden, self.peer, self.link = driver, Golden(driver), peer, link
        self.buses = registry.Buses(reconnect_delay=(0.02, 0.05))
        self.meter = registry.open_meter({'driver': driver, 'port': str(link), **peer.config()},
                                         self.buses)
        if not self.golden.pushes:
            self.meter.answer_time, self.meter.quiet = 0.08, 0.005
            self.meter._backoff, self.meter._period = Backoff(0.02, 0.05), 0.01

    def until(self, condition, timeout=8.0):
        """The first sample that fits; the driver's thread runs meanwhile."""
        sample = until(self.meter, condition, timeout)
        if sample is None:
            pytest.fail(f'not within {timeout} s: {self.meter.latest()}')
        return sample

    def good(self, after=0.0):
        return self.until(lambda s: s.value is not None and not s.error and s.at > after)

    def wrong(self, reading):
        """The names of what is not golden in a reading."""
        return [name for name, wanted in self.golden.reading.items()
                if getattr(reading, name) != pytest.approx(wanted, rel=1e-12, nan_ok=True)]

    def check(self, reading):
        """That a reading is the golden one; what is read seldom may be missing after faults."""
        for name in self.wrong(reading):
            assert name != 'amperage', reading
            values = getattr(reading, name)
            assert all(map(math.isnan, values if isinstance(values, tuple) else [values])), name
        assert reading.serial_number in (self.golden.serial_number, '')

    def whole(self):
        """Waits for a reading with nothing missing; fails at once if anything is wrong in one."""
        def is_whole(sample):
            if sample.value is None or sample.error:
                return False
            self.check(sample.value)
            return not self.wrong(sample.value) and bool(sample.value.serial_number)

        return self.until(is_whole)


@pytest.fixture(params=list(registry.METERS))
def s(request, link):
    with peer_of(Golden(request.param), link) as peer:
        setting = Setting(request.param, link, peer)
        setting.meter.start()
        yield setting
        setting.meter.close()


def test_every_meter_has_a_golden_file_and_none_is_left_over():
    files = {path.stem for path in DATA.glob('golden_*.yaml')} - {'golden_boards'}
    assert files == {f'golden_{driver}' for driver in registry.METERS}


@pytest.mark.parametrize('driver', WITH_TABLE)
def test_golden_frames_are_whole(driver):
    for request, answer in Golden(driver).exchanges:
        assert crc(request[:-2]) == request[-2:] and crc(answer[:-2]) == answer[-2:]
        assert answer[:2] == request[:2] and answer[2] == len(answer) - 5 == 2 * request[5]


@pytest.mark.parametrize('driver', WITH_TABLE)
def test_the_line_allows_what_is_asked_for_by_default(driver):
    options = {option.name: option.default for option in registry.options('meter', driver)}
    settings = SerialSettings(options['baudrate'], options['parity'], options['stopbits'])
    table = load(driver)
    slow = options['baudrate'] < 9600
    assert highest_rate(table, settings) >= (3.0 if slow else 0.8 * options['rate'])
    assert options['timeout'] > 2.0 / options['rate']
    half_speed = SerialSettings(settings.baudrate // 2, settings.parity, settings.stopbits)
    assert highest_rate(table, half_speed) < highest_rate(table, settings)


def test_values_units_and_identity_from_golden_frames(s):
    first = s.good()
    assert s.wrong(first.value) == []
    assert first.value.serial_number == s.golden.serial_number
    assert first.identity['serial_number'] == s.golden.serial_number
    assert first.identity['model']
    if not s.golden.pushes:
        rate, unit = first.identity['highest_rate'].split('/')
        assert unit == 's' and float(rate) >= 1.0
        assert {r.frame for r in s.peer.log} == {request for request, _ in s.golden.exchanges}


def test_silence_keeps_the_last_reading_with_its_time_and_says_so(s):
    before = s.good()
    s.peer.fall_silent()
    failed = s.until(lambda x: s.peer.silence_words in x.error)
    assert failed.at >= before.at and failed.counters['timeouts'] >= 1
    s.check(failed.value)
    s.peer.talk()
    assert s.whole().at > failed.at


def test_bad_answers_are_counted_and_never_taken_for_values(s):
    s.good()
    for kind, fault in s.peer.FAULTS.items():
        count = s.meter.latest().counters.get(kind, 0)

        def counted(sample, kind=kind, fault=fault, count=count):
            if not s.peer.is_pending():  # again: a late one counts as a time-out
                s.peer.once(fault)
            return sample.counters.get(kind, 0) > count

        sample = s.until(counted)
        s.peer.clear()
        s.check(sample.value)
        s.check(s.good(after=sample.at).value)
    for fault in s.peer.SURVIVED:
        answered = s.meter.latest().counters['answers']
        s.peer.once(fault)
        s.check(s.until(lambda x, n=answered: x.counters['answers'] > n + 2 and not x.error).value)
        assert not s.peer.is_pending()
    s.whole()


def test_an_answer_to_another_block_is_not_taken(s):
    """A late answer of the same unit and function, of another length; nothing that is pushed."""
    s.good()
    if s.golden.pushes:
        return
    unit = s.golden.unit
    other = sealed(bytes((unit, s.golden.exchanges[0][0][1], 2, 0x7F, 0x7F)))
    s.peer.fault(unit, lambda frame: [(0.0, other + frame)], lambda frame: [(0.0, other)])
    sample = s.until(lambda x: x.counters.get('wrong_answers', 0) or
                     x.counters.get('late_answers', 0) >= 2)
    s.check(sample.value)


def test_reconnects_when_the_adapter_comes_back(s):
    before = s.good()
    s.peer.unplug()
    gone = s.until(lambda x: bool(x.error))
    s.check(gone.value)
    s.peer.plug()
    back = s.whole()
    assert back.at > gone.at >= before.at and back.counters['reconnects'] >= 1


def test_close_frees_the_port_and_may_be_repeated(s):
    s.good()
    s.meter.close()
    open_port(str(s.link), SerialSettings()).close()
    s.meter.close()
