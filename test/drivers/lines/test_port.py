"""Opening a port, and the words when that cannot be done."""

import os
import pty
import subprocess
import sys

import pytest

from charger_control.drivers.interfaces import DeviceError
from charger_control.drivers.lines.port import SerialSettings, open_port, owner_of

HOLD = '''
import sys
from charger_control.drivers.lines.port import SerialSettings, open_port
port = open_port(sys.argv[1], SerialSettings())
print("open", flush=True)
sys.stdin.read()
'''


@pytest.fixture
def tty(link):
    master, slave = pty.openpty()
    link.symlink_to(os.ttyname(slave))
    yield str(link)
    os.close(master)
    os.close(slave)


@pytest.fixture
def holder(tty):
    process = subprocess.Popen([sys.executable, '-c', HOLD, tty], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == 'open\n'
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_has_the_port(tty, holder):
    assert owner_of(tty) == holder.pid
    with pytest.raises(DeviceError, match=rf'{tty} is in use by process {holder.pid} \(python'):
        open_port(tty, SerialSettings())


def test_the_port_is_free_as_soon_as_its_owner_was_killed(tty, holder):
    holder.kill()
    holder.wait()
    open_port(tty, SerialSettings()).close()


def test_a_second_opening_in_this_process_says_so(tty):
    with open_port(tty, SerialSettings()), \
            pytest.raises(DeviceError, match=rf'this process \({os.getpid()}\) under another name'):
        open_port(tty, SerialSettings())


def test_a_port_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with pytest.raises(DeviceError, match=r'ttyUSB7 is not there \(serial ports here: .+\)'):
        open_port(str(tmp_path / 'ttyUSB7'), SerialSettings())


def test_a_file_is_no_serial_port(tmp_path):
    (tmp_path / 'file').write_text('')
    for path in (tmp_path / 'file', tmp_path, '/dev/null'):
        with pytest.raises(DeviceError, match='is not a serial port'):
            open_port(str(path), SerialSettings())


def test_permission_denied_says_which_group_helps(tty, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr('charger_control.drivers.lines.port.serial.Serial', refuse)
    with pytest.raises(DeviceError, match=r'permission denied; join its group: sudo usermod -aG'):
        open_port(tty, SerialSettings())


def test_time_of_a_character_counts_all_its_bits():
    assert SerialSettings(9600, 'N', 1).character_time == pytest.approx(10 / 9600)
    assert SerialSettings(19200, 'E', 1).character_time == pytest.approx(11 / 19200)
    assert SerialSettings(9600, 'N', 2).character_time == pytest.approx(11 / 9600)
