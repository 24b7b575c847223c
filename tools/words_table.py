"""docs/words.md: every sentence about who decides and why, as the blocks themselves come to it.

Each row is a controller that is driven into a state, with the limits of one owner in force.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from charger_control.core.api.values import Values
from charger_control.core.cppwm_controller import Allocation, Controller, ControllerConfig
from charger_control.core.heard import Heard
from charger_control.core.hw_limit import HwLimitConfig
from charger_control.core.hw_limit import step as hw_limit
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.control_pilot import ControlPilot
from charger_control.core.messages.decision import Decision
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.power import Conversion
from charger_control.core.team.shares.allocator import FAIR
from charger_control.core.units import NAN
from charger_control.core.words import FAULTS, fault_sentence, sentence, silence_sentence

TICK = 0.125
"""s."""
CABLE = 32.0
"""A."""
PROFILE = 'TxDefaultProfile 1: {} A per phase until 2026-12-01 18:00 UTC'
WAITS = 'waits: no room for its minimum of 6 A'
SOURCES = ('hw', 'smart_charging', 'api')
NAMES = {'hw': 'hardware', 'smart_charging': 'charging profile', 'api': 'API', 'team': 'team',
         'meter': 'the meter is silent'}
METER = MeterReading(voltage=(230.0,) * 3, amperage=(0.0,) * 3)


@dataclass(slots=True)
class Point:
    """A controller and what it hears; ``None`` for what is silent.

    Attributes:
        letter: state of the vehicle.
        limits: by source.
        allocation: of the team.
        fault: of the pilot.
        obeys: the board offers what is available.
        decision, pilot: the last.
    """

    letter: str = 'A'
    limits: dict[str, AmperageLimit | None] = field(default_factory=dict)
    allocation: Allocation | None = None
    fault: str = ''
    meter: MeterReading | None = METER
    obeys: bool = True
    silent: bool = False
    decision: Decision = field(default_factory=Decision)
    pilot: ControlPilot | None = None
    now: float = 1000.0
    controller: Controller = field(default_factory=lambda: Controller(
        ControllerConfig(sources=SOURCES, has_phase_shutoff=True)))

    def __post_init__(self) -> None:
        self.limits = {**dict.fromkeys(SOURCES, AmperageLimit(NAN)), 'hw': hardware(32.0),
                       **self.limits}

    def run(self, seconds: float) -> Point:
        """Goes on for ``seconds``."""
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            for source, limit in self.limits.items():
                if limit is not None:
                    self.controller.hear_limit(source, Heard(limit, self.now))
            if self.meter is not None:
                self.controller.hear_meter(Heard(self.meter, self.now))
            available = 0.0
            if self.pilot is not None and self.obeys and self.decision.commanded_amperage > 0.0:
                available = self.decision.commanded_amperage + self.decision.trim
            self.pilot = None if self.silent else ControlPilot(
                self.letter, self.letter + ('2' if available else '1'), available,
                fault=self.fault)
            if self.pilot is not None:
                self.controller.hear_pilot(Heard(self.pilot, self.now))
            self.decision = self.controller.step(self.now, self.allocation).decision
        return self

    def then(self, seconds: float, **changes: object) -> Point:
        """Changes fields, then goes on."""
        for name, value in changes.items():
            setattr(self, name, value)
        return self.run(seconds)

    def says(self) -> str:
        """The sentence now."""
        return sentence(self.decision, self.pilot)


def hardware(fuse: float, cable: float = CABLE) -> AmperageLimit:
    """The limit of the hardware, as that block says it; ``cable``: A, NaN for one not known."""
    return hw_limit(HwLimitConfig(fuse, 3, cable), 0.0, None)


def client(amperage: float) -> AmperageLimit:
    """What a client has set (0: pause), as that block says it."""
    values = Values(enabled=False if amperage == 0.0 else None,
                    amperage=NAN if amperage == 0.0 else amperage, until=300.0,
                    client='ann (REST)')
    return AmperageLimit(values.limit(Conversion()), reason=values.words(0.0, Conversion(), NAN))


def profile(amperage: float, phases: int = 0) -> AmperageLimit:
    """A charging profile."""
    return AmperageLimit(amperage, phases, reason=PROFILE.format(f'{amperage:g}'))


def of_owner(owner: str, amperage: float) -> dict[str, Any]:
    """Inputs with which this owner decides on ``amperage`` A."""
    if owner == 'hw':
        return {'limits': {'hw': hardware(amperage) if amperage else hardware(32.0, NAN)}}
    if owner == 'smart_charging':
        return {'limits': {owner: profile(amperage)}}
    if owner == 'api':
        return {'limits': {owner: client(amperage)}}
    return {'allocation': Allocation(amperage, reason=FAIR[0] if amperage else WAITS)}


def plugged(letter: str, seconds: float, **fields: Any) -> Point:
    """A point to which a vehicle was plugged in ``seconds`` ago."""
    return Point(**fields).run(6.0).then(seconds, letter=letter)


def under(owner: str, amperage: float, letter: str, seconds: float) -> Point:
    """A point where this owner decides, ``seconds`` after plug-in or after the meter fell silent.
    """
    if owner == 'meter':
        return plugged(letter, SILENT).then(seconds, meter=None)
    return plugged(letter, seconds, **of_owner(owner, amperage))


LIMITS = ('hw', 'smart_charging', 'api')
ALL = (*LIMITS, 'team', 'meter')
SILENT = 20.0
"""s, longer than any hold, and than the meter may be silent without consequence."""
STATES: tuple[tuple[str, tuple[str, ...], Callable[[str], Point]], ...] = (
    ('No vehicle', LIMITS, lambda owner: Point(**of_owner(owner, 10.0)).run(6.0)),
    ('A vehicle has just been plugged in', (*LIMITS, 'team'),
     lambda owner: under(owner, 10.0, 'B', 2.0)),
    ('Offered, and the vehicle takes nothing', ALL, lambda owner: under(owner, 10.0, 'B', SILENT)),
    ('Charging', ALL, lambda owner: under(owner, 10.0, 'C', SILENT)),
    ('Less than a vehicle needs', ('smart_charging', 'api'),
     lambda owner: under(owner, 5.0, 'C', SILENT)),
    ('Nothing allowed', ALL, lambda owner: under(owner, 0.0, 'C', 80.0)),
)
"""What is the matter, whose limits there are, and the point that comes to it."""


def alone() -> Iterator[tuple[str, str]]:
    """States that no limit decides, or that are more than a limit."""
    yield 'a configured limit source has not spoken', plugged(
        'B', 20.0, limits={'api': None}).says()
    yield 'the board does not answer', plugged('C', SILENT).then(5.0, silent=True).says()
    yield 'the board tells nothing of a vehicle (state S)', plugged('S', 5.0).says()
    yield 'the board has not followed', plugged('B', SILENT, obeys=False).says()
    yield 'the supply is gone', plugged('B', SILENT).then(5.0, meter=replace(
        METER, voltage=(0.0,) * 3)).says()
    yield 'a current transformer is reversed', plugged('C', SILENT).then(SILENT, meter=replace(
        METER, amperage=(-10.0, 0.0, 0.0))).says()
    yield 'the contactor closed too often', worn().says()
    yield 'one phase, for another than the owner', plugged(
        'C', SILENT, limits={'api': client(10.0), 'smart_charging': profile(16.0, 1)}).says()
    yield 'the hardware is not watched', plugged('C', SILENT).then(
        20.0, limits={**Point().limits, 'hw': None}).says()
    yield 'the team is silent', plugged('C', SILENT, allocation=Allocation(
        0.0, reason='no answer from the team within 10 s: 0 A', silent=True)).says()
    yield 'a source that does not decide is silent', plugged('C', SILENT).then(
        20.0, limits={**Point().limits, 'api': None}).says()
    yield 'the block has raised an exception', sentence(Decision(
        reason='ZeroDivisionError in its tick: division by zero'))
    yield 'the controller is silent', silence_sentence(7.0)
    yield 'the controller was never heard', silence_sentence(math.inf)


def worn() -> Point:
    """A point whose vehicle has opened and closed S2 again and again."""
    point = plugged('C', SILENT)
    for _ in range(12):
        point.then(1.0, letter='B').then(1.0, letter='C')
    return point.then(1.0, letter='B')


def faults() -> Iterator[tuple[str, str]]:
    """Every fault; BoardFault once more, of a board that cannot tell."""
    for name in FAULTS:
        yield name, plugged('C', SILENT).then(1.0, fault=name).says()
    yield 'BoardFault in state F', plugged('F', SILENT, fault='BoardFault').says()
    yield 'one that is not known', fault_sentence('NewFault')


def document() -> str:
    """The page."""
    lines = ['# Who decides, and why', '',
             'Made by tools/words_table.py from the code: do not edit.', '',
             'These sentences stand on the page, in `sentence` of `/api/v1/health` and '
             '`/api/v1/chargers`, in `charger status`, in the diagnostics and in the log. '
             '`core/words` makes them from the decision of the controller and the control pilot.']
    for title, owners, point in STATES:
        lines += ['', f'## {title}', '', '| who limits | sentence |', '|---|---|']
        lines += [f'| {NAMES[owner]} | {point(owner).says()} |' for owner in owners]
    for title, head, rows in (('Something else decides', 'what is the matter', alone()),
                              ('Faults', 'fault', faults())):
        lines += ['', f'## {title}', '', f'| {head} | sentence |', '|---|---|']
        lines += [f'| {name} | {said} |' for name, said in rows]
    return '\n'.join([*lines, ''])
