"""Drivers by name."""

import pytest

from charger_control.drivers import registry
from charger_control.drivers.registry import Buses, OptionError

METER = {'driver': 'sdm630', 'port': '/dev/ttyFAKE', 'unit': 2}
PILOT = {'driver': 'evse_din', 'port': '/dev/ttyFAKE'}


def test_devices_open_with_their_own_defaults_and_share_the_port():
    buses = Buses()
    meter = registry.open_meter(METER, buses)
    pilot = registry.open_pilot(PILOT | {'fine_steps': True}, buses)
    assert (meter.timeout, pilot.timeout, pilot.step) == (1.0, 1.5, 0.01)
    assert registry.open_pilot(PILOT, buses).step == 1.0
    assert meter.latest().value is None and meter.latest().error
    with pytest.raises(OptionError, match='already run with 9600 8N1'):
        registry.open_pilot(PILOT | {'baudrate': 19200}, buses)
    meter.close()  # never started: nothing to end
    pilot.close()


@pytest.mark.parametrize(('change', 'words'), [
    ({'driver': 'sdm6300'}, r"meter: driver: 'sdm6300' \(allowed: b23, .*sdm630"),
    ({'driver': None}, r'meter: driver: None \(allowed: b23, .*sdm630'),
    ({'prot': 1}, r'meter sdm630: prot = 1: no such option \(allowed: port, baudrate, .*rate\)\. '
     r'Did you mean port\?'),
    ({'port': ''}, r"meter sdm630: port: '' \(allowed: a text\)"),
    ({'port': None}, r'meter sdm630: port must be set \(serial port, .*by-id'),
    ({'unit': 0}, r'meter sdm630: unit: 0 \(allowed: int 1\.\.247\)'),
    ({'unit': '1'}, r"unit: '1' \(allowed: int"),
    ({'unit': True}, r'unit: True \(allowed: int'),
    ({'baudrate': 9600.5}, r'baudrate: 9600\.5 \(allowed: int 300\.\.'),
    ({'parity': 'X'}, r"parity: 'X' \(allowed: N or E or O\)"),
    ({'parity': False}, r"parity: False .*write 'N'"),
    ({'timeout': float('nan')}, r'timeout: nan \(allowed: float 0\.2\.\.60 s\)'),
    ({'timeout': 1e9}, r'timeout: 1000000000\.0 \(allowed'),
])
def test_a_configuration_that_cannot_be_is_refused_in_one_line(change, words):
    for act in (registry.check_meter, lambda c: registry.open_meter(c, Buses())):
        with pytest.raises(OptionError, match=words) as error:
            act(METER | change)
        assert '\n' not in str(error.value)


def test_an_unknown_board_is_refused_everywhere():
    allowed = ', '.join(sorted(registry.PILOTS))
    for act in (registry.check_pilot, registry.withdraw,
                lambda c: registry.open_pilot(c, Buses())):
        with pytest.raises(OptionError, match=rf"pilot: driver: 'x' \(allowed: {allowed}\)"):
            act({'driver': 'x'})


def test_a_boolean_must_be_one():
    with pytest.raises(OptionError, match=r'fine_steps: 1 \(allowed: true or false\)'):
        registry.check_pilot(PILOT | {'fine_steps': 1})


def test_a_whole_number_will_do_for_a_real_one():
    registry.check_meter(METER | {'timeout': 2})


@pytest.mark.parametrize(('kind', 'name'), [('meter', n) for n in registry.METERS]
                         + [('pilot', n) for n in registry.PILOTS])
def test_options_are_data_from_which_parameters_can_be_declared(kind, name):
    options = registry.options(kind, name)
    needed = {'linux_pilot': ['adc', 'high_gain', 'high_offset', 'contactor_line'],
              'phoenix_em_eth': ['host']}
    assert [option.name for option in options if option.default is None] == needed.get(
        name, ['port'])
    for option in options:
        assert option.description and option.allowed
        assert option.default is None or option.check(option.default) == option.default


def test_options_of_what_is_not_there_are_refused():
    with pytest.raises(OptionError, match=r"kind: 'motor' \(allowed: meter, pilot\)"):
        registry.options('motor', 'x')
    with pytest.raises(OptionError, match="driver: 'x'"):
        registry.options('pilot', 'x')
