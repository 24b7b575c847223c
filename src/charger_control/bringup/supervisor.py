"""Guards child processes: starts them, listens to their beat, kills the hung, starts them again.

Without rclpy. When the child that holds the pilot dies without its good-bye, or stops beating,
``withdraw`` is called at once, before anything else (architecture.md, Processes).
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from charger_control.ros.machine import ancestors

BEAT_FD = 'CHARGER_BEAT_FD'
"""Environment of a child: number of its end of the socket (ros/runner.py listens)."""
EXIT_CONFIG = 2
"""Exit code of a child whose configuration cannot be taken: starting it again would not help."""
PR_SET_PDEATHSIG = 1
BACK_OFF = (1.0, 60.0)
"""s until a child is started again: first, and at the most; doubled each time."""
HEALTHY = 60.0
"""s of running after which the back-off starts from its first value again."""
START_GRACE = 30.0
"""s until the first beat."""


@dataclass
class Spec:
    """What to run.

    Attributes:
        name: for people.
        command: argv.
        environment: added to ours.
        beat_timeout: s without a beat until it is killed; None: it does not beat.
        withdraw: called when it ended without a good-bye; returns '' or what went wrong.
        stop_time: s after SIGTERM until it is killed.
        once: not started again; its end is the end of all.
        delay: s after the start of all until it is started at first.
        stage: at the end, neighbours of the same stage end at the same time; 0: alone.
        lingers: sees to its own end when the guard is gone; others get a signal at once.
        helps: of no use without the others: the web bridge, simulated devices.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    beat_timeout: float | None = None
    withdraw: Callable[[], str] | None = None
    stop_time: float = 10.0
    once: bool = False
    delay: float = 0.0
    stage: int = 0
    lingers: bool = False
    helps: bool = False


class Child:
    """One guarded process."""

    def __init__(self, spec: Spec, say: Callable[[str], None]) -> None:
        self.spec = spec
        self._say = say
        self.process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket | None = None
        self._started = 0.0
        self._last_beat: float | None = None
        self._goodbye = False
        self._back_off = BACK_OFF[0]
        self.start_at: float | None = time.monotonic() + spec.delay

    def start(self, now: float) -> None:
        """Starts the process."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = {**os.environ, **ancestors.environment(), **self.spec.environment}
        if self.spec.beat_timeout is not None:
            environment[BEAT_FD] = str(theirs.fileno())
        self.process = subprocess.Popen(self.spec.command, env=environment,
                                        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                        preexec_fn=None if self.spec.lingers else partial(  # noqa: PLW1509
                                            _end_with_parent, os.getpid()),
                                        start_new_session=True)
        theirs.close()
        self.socket = ours
        self._started, self._last_beat, self._goodbye, self.start_at = now, None, False, None
        self._say(f'{self.spec.name}: started, pid {self.process.pid}')

    def listen(self, now: float) -> None:
        """Takes what the child has sent."""
        try:
            data = self.socket.recv(4096) if self.socket is not None else b''
        except BlockingIOError:
            return
        except OSError:
            data = b''
        if data:
            self._last_beat = now
            self._goodbye = self._goodbye or b'!' in data

    def hung(self, now: float) -> bool:
        """Whether it has stopped beating."""
        if self.spec.beat_timeout is None or self.process is None:
            return False
        if self._last_beat is None:
            return now - self._started > START_GRACE
        return now - self._last_beat > self.spec.beat_timeout

    @property
    def wanted(self) -> bool:
        """Whether it runs or is to be started again."""
        return self.process is not None or self.start_at is not None

    def terminate(self) -> None:
        """Asks it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)  # a stopped one would not hear

    def kill(self) -> None:
        """Ends it now."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ended(self, now: float) -> int | None:
        """Its exit code once it has ended, with the offer withdrawn if it could not itself."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.listen(now)
        if not self._goodbye and self.spec.withdraw is not None:
            wrong = self._withdraw()
            self._say(f'{self.spec.name}: ended without a good-bye, '
                      + (f'"no offer" could NOT be written: {wrong}' if wrong
                         else f'"no offer" written {time.monotonic() - now:.2f} s later'))
        self.process = None
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if now - self._started > HEALTHY:
            self._back_off = BACK_OFF[0]
        self.start_at = now + self._back_off
        self._back_off = min(self._back_off * 2.0, BACK_OFF[1])
        return code


    def _withdraw(self) -> str:
        """Withdraws; whatever goes wrong in it must not end the guard."""
        try:
            return self.spec.withdraw() if self.spec.withdraw is not None else ''
        except Exception as error:  # noqa: BLE001 - the guard is what everything else leans on
            return f'{type(error).__name__}: {error}'


class Guard:
    """Runs children until a signal, the end of one that runs once, or none of use is left.

    A child with a bad configuration (EXIT_CONFIG) is not started again; the others go on.
    """

    def __init__(self, specs: Sequence[Spec], say: Callable[[str], None] | None = None) -> None:
        self._say = say or _print
        self._children = [Child(spec, self._say) for spec in specs]
        self._stop = ''

    def run(self) -> int:
        """Returns 0 after a signal, EXIT_CONFIG if all that is of use has a bad configuration, else
        the exit code of the child that ran once."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        ancestors.watch()
        code = 0
        try:
            while not self._stop:
                code = self._turn()
        finally:
            self._end_all()
        return code

    def _on_signal(self, number: int, _: object) -> None:
        self._stop = self._stop or signal.Signals(number).name

    def _turn(self) -> int:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and child.start_at is not None and now >= child.start_at:
                child.start(now)
        self._wait(0.1)
        now = time.monotonic()
        for child in self._children:
            child.listen(now)
            if child.hung(now):
                self._say(f'{child.spec.name}: does not answer any more, killing it')
                child.kill()
            code = child.ended(now)
            if code is None:
                continue
            if child.spec.once:
                self._stop = f'{child.spec.name} ended with exit code {code}'
                return code
            if code == EXIT_CONFIG:
                child.start_at = None
                self._say(f'{child.spec.name}: bad configuration, not started again')
                if not any(one.wanted and not one.spec.helps for one in self._children):
                    self._stop = f'{child.spec.name} ended with exit code {code}'
                    return code
                continue
            wait = (child.start_at or now) - now
            self._say(f'{child.spec.name}: ended ({_of_code(code)}), starts again in {wait:.0f} s')
        return 0

    def _wait(self, timeout: float) -> None:
        """Until a child says something or has ended, or the time is over."""
        with selectors.DefaultSelector() as selector:
            for child in self._children:
                if child.socket is not None:
                    selector.register(child.socket, selectors.EVENT_READ)
            # a dead child's socket is at its end of file, so this wakes up at once
            selector.select(timeout)
        time.sleep(0.01)  # beats come in tens a second: do not turn for each

    def _end_all(self) -> None:
        """In order: who holds the pilot first, the simulated hardware last."""
        self._say(f'ending: {self._stop}')
        for _, children in itertools.groupby(enumerate(self._children),
                                             lambda nth: nth[1].spec.stage or -nth[0]):
            running = [child for _, child in children if child.process is not None]
            for child in running:
                child.terminate()
            asked = time.monotonic()
            for child in running:
                self._wait_for(child, asked + child.spec.stop_time)

    def _wait_for(self, child: Child, deadline: float) -> None:
        """Until it has ended, killed at the deadline."""
        if child.process is None:
            return
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._say(f'{child.spec.name}: did not end in {child.spec.stop_time:.0f} s, '
                      'killing it')
            child.kill()
        child.ended(time.monotonic())


def _end_with_parent(guard: int) -> None:
    """Between fork and exec, on one thread: the kernel sends SIGTERM when the guard dies, however
    it dies. Programs of ours notice that by themselves too (ros/machine/ancestors.py)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != guard:   # it died before the kernel was told
        os.kill(os.getpid(), signal.SIGTERM)


def _print(text: str) -> None:
    """For people; whoever read may be gone, and what is under guard must be ended all the same."""
    with contextlib.suppress(OSError):
        print(f'charger: {text}', file=sys.stderr, flush=True)


def _of_code(code: int) -> str:
    return f'signal {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'
