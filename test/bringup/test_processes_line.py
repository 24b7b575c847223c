"""Which devices share a process: those on one port, or behind one host."""

from charger_control.bringup.processes import _line_of


def test_devices_behind_one_host_are_on_one_line():
    assert _line_of({'device.host': 'a'}) == _line_of({'device.host': 'a', 'device.port': 502})
    assert _line_of({'device.host': 'a', 'device.port': 503}) != _line_of({'device.host': 'a'})
    assert _line_of({'device.host': 'a'}) != _line_of({'device.host': 'b'})
    assert _line_of({'device.port': '/dev/ttyS0'}) == '/dev/ttyS0'
    assert _line_of({}) == ''
