"""One owner per line: a thread that gives its devices turns, reconnects, and lets control go first.

A turn is one transaction, so a lower offer waits for the one under way and for the quiet time its
own board demands, never for a whole cycle. After a time-out only the device that was asked waits
its late answer out: answers carry the unit's number, and a silent meter must not silence a board.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from charger_control.drivers.interfaces import AnswerError, Clock, DeviceError, PortLostError
from charger_control.drivers.lines.backoff import Backoff
from charger_control.drivers.lines.modbus_rtu import ModbusLine
from charger_control.drivers.lines.modbus_tcp import ModbusTcpLine
from charger_control.drivers.lines.port import SerialSettings
from charger_control.drivers.lines.shares import Shares
from charger_control.drivers.options import OptionError

_LOG = logging.getLogger(__name__)
RECONNECT_DELAY = (0.5, 10.0)
"""s, from the first failed opening to the most between two of them."""
PRESENCE_INTERVAL = 0.5
"""s between two looks whether a port has come back."""


def boottime() -> float:
    """s since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a device wants of its line next.

    Attributes:
        at: s on the bus's clock, not before.
        urgent: before every other device, which wait from ``at`` on. For lower offers.
        write: it need not wait for the late answer to a read, nor a read for that to a write:
            they differ in function. What a write did is read back anyway.
    """

    at: float
    urgent: bool = False
    write: bool = False


class Line(Protocol):
    """What the bus needs of a line of any protocol."""

    name: str

    def open(self) -> None:
        """Opens the line exclusively. Raises DeviceError."""

    def close(self) -> None:
        """Closes it. Idempotent."""

    def presence(self) -> object:
        """Something that changes when what the name leads to does; None: nothing is there."""


L_contra = TypeVar('L_contra', bound=Line, contravariant=True)
L = TypeVar('L', bound=Line)


class Device(Protocol[L_contra]):
    """A device on a line; all is called from the bus's thread, ``turn`` must be quick and pure."""

    quiet: float
    """s that the device needs between the end of its answer and the next request to it."""
    answer_time: float
    """s, the longest the device may take to begin its answer."""

    def turn(self, now: float) -> Turn:
        """When it wants the line next."""

    def transact(self, line: L_contra) -> None:
        """Does one transaction. Raises AnswerError or PortLostError."""

    def failed(self, error: AnswerError) -> None:
        """Hears what its last transaction raised."""

    def line_up(self) -> None:
        """Hears that the line was opened, before its first transaction on it."""

    def line_down(self, error: str) -> None:
        """Hears that the line is lost, or could not be opened once more."""


class _Slot(Generic[L]):
    """The bus's side of one device."""

    def __init__(self, device: Device[L]) -> None:
        self.device = device
        self.up = False
        self.served_at = 0.0
        self.quiet_until = 0.0
        self.owed_until = 0.0

    def ready_at(self, turn: Turn) -> float:
        """When the device can be asked what it wants to be asked."""
        return self.quiet_until if turn.write else max(self.quiet_until, self.owed_until)


class Bus(Generic[L]):
    """The one owner of a line. Its thread lives while it has devices."""

    def __init__(self, line: L, clock: Clock = boottime,
                 reconnect_delay: tuple[float, float] = RECONNECT_DELAY) -> None:
        """``reconnect_delay``: s, first and longest delay between two tries to open the line."""
        self.line = line
        self.clock = clock
        self._backoff = Backoff(*reconnect_delay)
        self._changed = threading.Condition()
        self._slots: list[_Slot[L]] = []
        self._busy: _Slot[L] | None = None
        self._thread: threading.Thread | None = None
        self._is_open = False
        self._error = ''

    def add(self, device: Device[L]) -> None:
        """Gives a device turns from now on; the first one opens the line."""
        with self._changed:
            if any(slot.device is device for slot in self._slots):
                return
            if self._error:
                device.line_down(self._error)
            self._slots.append(_Slot(device))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f'bus {self.line.name}',
                                                daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def remove(self, device: Device[L], timeout: float = 1.0) -> None:
        """Takes a device off; the last one closes the line. Waits ``timeout`` s at most."""
        def gone() -> bool:
            busy = self._busy is not None and self._busy.device is device
            return not busy and (bool(self._slots) or self._thread is None)

        with self._changed:
            self._slots = [slot for slot in self._slots if slot.device is not device]
            self._changed.notify_all()
            if threading.current_thread() is not self._thread:
                self._changed.wait_for(gone, timeout)

    def wake(self) -> None:
        """Makes the bus ask its devices again what they want: an offer has changed."""
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._slots:
                    self._close_line()
                    self._thread = None
                    self._changed.notify_all()
                    return
            try:
                if self._is_open:
                    self._serve()
                else:
                    self._connect()
            except PortLostError as error:
                self._lose(str(error))
            except Exception as error:  # noqa: BLE001 - a dead thread would be a dead dead-man
                _LOG.exception('bus %s', self.line.name)
                self._lose(f'{self.line.name}: internal error {error!r}')

    def _connect(self) -> None:
        try:
            self.line.open()
        except DeviceError as error:
            self._lose(str(error))
        else:
            self._is_open, self._error = True, ''

    def _lose(self, error: str) -> None:
        """Closes the line, tells the devices, and waits until it is worth a try to open it."""
        self._close_line()
        delay = self._backoff.delay()
        self._error = error
        with self._changed:
            slots = list(self._slots)
        for slot in slots:
            slot.up = False
            slot.device.line_down(error)
        there = self.line.presence()
        end = self.clock() + delay
        with self._changed:
            while self._slots and (rest := end - self.clock()) > 0.0:
                self._changed.wait(min(rest, PRESENCE_INTERVAL))
                present = self.line.presence()
                if present is not None and present != there:
                    return
                there = present

    def _close_line(self) -> None:
        self.line.close()
        self._is_open = False

    def _serve(self) -> None:
        """Gives one device its turn, or waits until one wants it."""
        with self._changed:
            if not self._slots:
                return
            for slot in self._slots:
                if not slot.up:
                    slot.up = True
                    slot.device.line_up()
            choice = self._choose(self.clock())
            if not isinstance(choice, tuple):
                self._rest(choice)
                return
            slot, turn = choice
            self._busy = slot
        try:
            slot.device.transact(self.line)
            self._backoff.reset()
        except AnswerError as error:
            self._backoff.reset()
            if error.may_come_late and not turn.write:
                slot.owed_until = self.clock() + slot.device.answer_time
            slot.device.failed(error)
        finally:
            slot.served_at = self.clock()
            slot.quiet_until = slot.served_at + slot.device.quiet
            with self._changed:
                self._busy = None
                self._changed.notify_all()

    def _rest(self, time_span: float) -> None:
        """Waits for so many s, or until something has changed; ``_changed`` is held."""
        self._changed.wait(time_span)

    def _choose(self, now: float) -> tuple[_Slot[L], Turn] | float:
        """The device whose turn it is, or the s until one's may be."""
        turns = [(slot, slot.device.turn(now)) for slot in self._slots]
        for slot, turn in turns:
            if turn.urgent and turn.at <= now and (turn.write or slot.owed_until <= now):
                # The line is kept free for it, even while its device needs silence.
                ready = slot.ready_at(turn)
                return (slot, turn) if ready <= now else ready - now
        due = [(slot, turn) for slot, turn in turns if max(turn.at, slot.ready_at(turn)) <= now]
        if due:
            return min(due, key=lambda choice: choice[0].served_at)
        return min(max(turn.at, slot.ready_at(turn)) for slot, turn in turns) - now


class Buses:
    """The lines of one process, shared by port name. Pass one object to all that open devices."""

    def __init__(self, clock: Clock = boottime,
                 reconnect_delay: tuple[float, float] = RECONNECT_DELAY) -> None:
        """Clock and reconnect delays (s) of all its buses."""
        self._clock, self._reconnect_delay = clock, reconnect_delay
        self._modbus: dict[str, Bus[ModbusLine]] = {}
        self._modbus_tcp: dict[tuple[str, int], Bus[ModbusTcpLine]] = {}
        self.shares = Shares()

    def own(self, line: L) -> Bus[L]:
        """A bus for a line that its device shares with none."""
        return Bus(line, self._clock, self._reconnect_delay)

    def alone(self, line: L) -> Bus[L]:
        """A bus for a line that nothing else can be on."""
        return Bus(line, self._clock, self._reconnect_delay)

    def modbus_tcp(self, host: str, port: int) -> Bus[ModbusTcpLine]:
        """The bus of a Modbus TCP connection; nothing is connected before it has a device."""
        bus = self._modbus_tcp.get((host, port))
        if bus is None:
            bus = Bus(ModbusTcpLine(host, port), self._clock, self._reconnect_delay)
            self._modbus_tcp[host, port] = bus
        return bus

    def modbus(self, port: str, settings: SerialSettings) -> Bus[ModbusLine]:
        """The bus of a Modbus RTU line; nothing is opened before it has a device.

        Raises:
            OptionError: another device runs the same port with other settings.
        """
        bus = self._modbus.get(port)
        if bus is None:
            bus = Bus(ModbusLine(port, settings), self._clock, self._reconnect_delay)
            self._modbus[port] = bus
        elif bus.line.settings != settings:
            raise OptionError(f'port: {port} is already run with {bus.line.settings}, not '
                              f'{settings}: devices on one line need the same baudrate, parity '
                              'and stopbits')
        return bus
