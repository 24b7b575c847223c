"""A charge point in a hostile world: controller, pilot block and board, chained, with an oracle.

The oracle keeps what was said to the blocks and judges each tick by architecture.md alone.
"""

from __future__ import annotations

import math
from dataclasses import replace

from charger_control.core.cppwm_controller import Controller, ControllerConfig
from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.iso61851.signal import SignalConfig
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.meter_reading import MeterReading
from charger_control.core.senders import Voices
from charger_control.core.units import NAN
from charger_control.core.voices import AVAILABLE, HW_LIMIT, LIMIT, METER, PILOT

SOURCES = ('hw', 'smart_charging', 'api')
INPUTS = (*SOURCES, 'meter', 'control_pilot', 'board', 'available', 'hw@pilot', 'meter@pilot')
TINY = 1e-6


def can_be(limit, source):
    """Whether a limit is one that a source may say."""
    amperages = (limit.amperage, limit.lost_amperage)
    return (all(math.isnan(a) or 0.0 <= a < math.inf for a in amperages)
            and limit.phases in (0, 1, 3) and limit.valid_for >= 0.0
            and not (source == 'hw' and math.isnan(limit.amperage)))


def note(words, now, value, sender, window):
    """Keeps a word of ``sender``, and those of others that are not older than ``window`` s."""
    words[sender] = (now, value)
    for other, (at, _) in list(words.items()):
        if now - at > window:
            del words[other]


def meaning(source, at, limit, now):
    """What a limit said at ``at`` means now, A; NaN: nothing."""
    if source == 'hw':
        return limit.amperage if now - at <= min(5.0, limit.valid_for) else 0.0
    return limit.amperage if now - at <= limit.valid_for else limit.lost_amperage


class World:
    """All inputs are renewed at each tick unless they are quiet."""

    def __init__(self, *, socket=False, step=0.01, delay=0.3):
        self.now, self.step_size, self.socket, self.delay = 1000.0, step, socket, delay
        self.latch = ''
        self.limits = {name: AmperageLimit(NAN, valid_for=900.0) for name in SOURCES}
        self.limits['hw'] = AmperageLimit(32.0, valid_for=5.0, lost_amperage=0.0)
        self.meter = MeterReading(amperage=(0.0, 0.0, 0.0))
        self.board = PilotReading('A', 0.0, cable_amperage=20.0)
        self.obeys, self.quiet, self.allocation = True, set(), None
        self.second = {}  # topic -> what a second voice says there
        self.orders, self.reading, self.published = [], None, None
        self.restart_controller()
        self.restart_pilot()

    # -- what may happen -----------------------------------------------------------------------
    def restart_controller(self):
        self.controller = Controller(ControllerConfig(sources=SOURCES))
        self.ears = {name: Voices(HW_LIMIT if name == 'hw' else LIMIT) for name in SOURCES}
        self.ears |= {'meter': Voices(METER), 'control_pilot': Voices(PILOT)}
        self.words = {name: {} for name in SOURCES}  # sender -> (at, limit) that can be
        self.good_meter = self.good_pilot = None     # (at, value) that can be
        self.meters, self.pilots = {}, {}            # sender -> (at, value) that can be

    def restart_pilot(self):
        self.pilot = CurrentPilotControl(CurrentPilotConfig(
            socket=self.socket, signal=SignalConfig(step=self.step_size)), self.latch)
        self.pilot_ears = {'hw': Voices(HW_LIMIT), 'available': Voices(AVAILABLE),
                           'meter': Voices(METER)}
        self.hw_words, self.available = {}, {}       # sender -> (at, value) that can be
        self.least, self.offer, self.changed_at = None, 0.0, -math.inf
        self.good_board = self.hold_until = None

    def say(self, source, limit, sender='own'):
        """A word on limits/<source>, as both blocks hear it."""
        if source not in self.quiet or sender != 'own':
            heard = self.ears[source].hear(Heard(limit, self.now, sender))
            self.controller.hear_limit(source, heard)
            if can_be(limit, source):
                note(self.words[source], self.now, limit, sender, 5.0 if source == 'hw' else 10.0)
        if source == 'hw':
            self.pilot_hears_hw(limit, sender)

    def pilot_hears_hw(self, limit, sender='own'):
        """The HW limit as the pilot block hears it."""
        if 'hw@pilot' not in self.quiet or sender != 'own':
            self.pilot.hear_hw(self.pilot_ears['hw'].hear(Heard(limit, self.now, sender)))
            if can_be(limit, 'hw'):
                note(self.hw_words, self.now, limit, sender, 5.0)

    def tick(self, dt, *, asleep=False):
        """``asleep``: the clock jumped, and nothing was heard meanwhile."""
        self.now += dt
        if not asleep:
            self._hear()
        self._control()
        self._pilot()

    def draws(self, share):
        """16 s in which the vehicle draws ``share`` of the signal, so that there is a trim."""
        for _ in range(32):
            self.meter = MeterReading(amperage=(self.board.signaled_amperage * share,) * 3)
            self.tick(0.5)

    # -- the tick ------------------------------------------------------------------------------
    def _hear(self):
        for source, limit in self.limits.items():
            self.say(source, limit)
            if source in self.second:
                self.say(source, self.second[source], 'other')
        self._hear_meter(self.meter, 'own')
        if 'meter' in self.second:
            self._hear_meter(self.second['meter'], 'other')
        if self.published is not None and 'control_pilot' not in self.quiet:
            self._hear_pilot(self.published, 'own')
        if self.published is not None and 'control_pilot' in self.second:
            self._hear_pilot(replace(self.published, **self.second['control_pilot']), 'other')

    def _hear_meter(self, reading, sender):
        if 'meter' not in self.quiet or sender != 'own':
            heard = self.ears['meter'].hear(Heard(reading, self.now, sender))
            self.controller.hear_meter(heard)
            first, *others = reading.amperage
            if (not reading.error and reading.age >= 0.0 and -1.0 <= first <= 800.0
                    and not any(a < -1.0 or a > 800.0 for a in others)):
                note(self.meters, self.now, reading, sender, 3.0)
                before = -math.inf if self.good_meter is None else self.good_meter[0]
                self.good_meter = (self.now - reading.age, reading)
                self.is_new_sample = self.good_meter[0] > before
        if 'meter@pilot' not in self.quiet or sender != 'own':
            self.pilot.hear_meter(self.pilot_ears['meter'].hear(Heard(reading, self.now, sender)))

    def _hear_pilot(self, pilot, sender):
        heard = self.ears['control_pilot'].hear(Heard(pilot, self.now, sender))
        if heard is not None:
            self.controller.hear_pilot(heard)
        if pilot.error or not pilot.age >= 0.0 or not 0.0 <= pilot.signaled_amperage <= 800.0:
            return
        note(self.pilots, self.now, pilot, sender, 2.0)
        if len({(p.vehicle_status, p.charge_controller_status)
                for _, p in self.pilots.values()}) == 1:
            self.good_pilot = (self.now - pilot.age, pilot)

    def _control(self):
        result = self.controller.step(self.now, self.allocation)
        self._judge_controller(result.decision, result.available)
        self.decision = result.decision
        if 'available' not in self.quiet:
            self._make_available(result.available, 'own')
        if 'available' in self.second:
            self._make_available(self.second['available'], 'other')

    def _make_available(self, available, sender):
        heard = self.pilot_ears['available'].hear(Heard(available, self.now, sender))
        self.pilot.hear_available(heard)
        if not available.refusal():
            note(self.available, self.now, available, sender, 2.0)

    def _pilot(self):
        signaled = self.board.signaled_amperage
        while self.obeys and self.orders and self.orders[0][0] <= self.now - self.delay:
            signaled = self.orders.pop(0)[1]
        self.board = replace(self.board, signaled_amperage=signaled)
        if 'board' not in self.quiet:
            self.reading = Heard(self.board, self.now)
            if 0.0 <= signaled <= 800.0 and self.board.letter in set('ABCDEFSR'):
                self.good_board = self.reading
        good = self.good_board
        if (self.hold_until is None and good is not None and self.now - good.at <= 1.0
                and good.value.letter in set('ABCD')):
            self.hold_until = self.now + (0.0 if good.value.letter == 'A' else 10.0)
        result = self.pilot.step(self.now, self.reading, '')
        self._judge_pilot(result)
        if (result.offer or 0.0) != self.offer:
            self.changed_at = self.now
        self.offer, self.latch = result.offer or 0.0, result.latch
        self.orders.append((self.now, self.offer))
        self.published = result.pilot

    # -- the oracle ----------------------------------------------------------------------------
    def allowed(self):
        """The most that may be commanded now, by all limits and inputs; and the hard limit."""
        meanings = {}
        for source, words in self.words.items():
            if not words:
                return 0.0, 0.0
            said = [meaning(source, *w, self.now) for w in words.values()]
            meanings[source] = min((a for a in said if not math.isnan(a)), default=NAN)
        valid = [a for a in meanings.values() if not math.isnan(a)]
        most = min(valid, default=0.0)
        if self.allocation is not None:
            granted = self.allocation.amperage
            most = min(most, granted if 0.0 <= granted < math.inf else 0.0)
        silence = math.inf if self.good_meter is None else self.now - self.good_meter[0]
        most = 0.0 if silence > 60.0 else min(most, 6.0) if silence > 11.0 else most
        hard = meanings['hw']
        if self.good_pilot is None or self.now - self.good_pilot[0] > 2.0:
            return 0.0, hard
        pilot = self.good_pilot[1]
        if pilot.vehicle_status not in set('BCD') or pilot.fault:
            return 0.0, hard
        cable = pilot.cable_amperage
        return most, hard if math.isnan(cable) else min(hard, cable)

    def _judge_controller(self, decision, available):
        most, hard = self.allowed()
        commanded, offered = decision.commanded_amperage, available.available_amperage
        assert 0.0 <= commanded <= most
        assert commanded == 0.0 or commanded >= 5.95
        assert offered == 0.0 or 6.0 <= offered <= hard
        assert available.enable is (offered > 0.0)
        assert offered == 0.0 or commanded > 0.0
        granted = 2.0 if self.allocation is None else self.allocation.trim_amperage
        granted = granted if 0.0 <= granted < math.inf else 0.0
        floor = max(commanded, 6.0)
        assert offered <= floor + granted + TINY
        most_drawn = max((a for _, reading in self.meters.values() for a in reading.amperage
                          if not math.isnan(a)), default=0.0)
        if self.good_meter is None or self.now - self.good_meter[0] > 3.0:
            assert offered <= floor + TINY, 'a trim above 0 on a silent meter'
        elif self.is_new_sample and most_drawn > commanded + 0.5:
            assert offered <= floor + TINY, 'a trim above 0 while the vehicle over-draws'

    def _judge_pilot(self, result):
        offer, before = result.offer, self.offer
        in_force = [word for at, word in self.available.values()
                    if self.now - at <= min(word.valid_for, 2.0)]
        commanded = min((word.commanded_amperage for word in in_force), default=0.0)
        fell, self.least = self.least is not None and commanded < self.least, commanded
        if result.latch or self.latch:
            assert offer is None or result.latch == ''
        if offer is None:
            return
        assert 6.0 <= offer <= 80.0
        assert offer <= min(meaning('hw', *w, self.now) for w in self.hw_words.values()) + TINY
        good = self.good_board
        assert self.now - good.at <= 1.0, 'an offer to a board that is silent'
        assert good.value.letter in set('ABC'), 'D has no ventilation here'
        assert not good.value.unsafe
        assert self.now >= self.hold_until, 'a start with a vehicle present waits 10 s'
        assert not result.pilot.fault
        if self.socket:
            assert offer <= good.value.cable_amperage + TINY
        assert in_force
        assert all(word.enable for word in in_force)
        most = min(word.available_amperage for word in in_force)
        assert offer <= max(before, most) + TINY
        if most <= commanded:
            assert offer <= max(commanded, 6.0) + TINY
        if fell:
            assert offer <= most + TINY, 'a drop of commanded acts at once'
        if before and offer > before:
            assert self.now - self.changed_at >= 5.0 - TINY, 'increases are 5 s apart'


def charging(*, trimmed=False, **options):
    """A world in which a vehicle charges; ``trimmed``: with what it draws too little added."""
    world = World(**options)
    world.limits['api'] = AmperageLimit(16.0)
    world.tick(0.1)
    world.board = replace(world.board, letter='B')
    for dt in (0.1, 0.1, 5.0, 0.1, 1.0):
        world.tick(dt)
    world.board = replace(world.board, letter='C', contactor_closed=True)
    world.tick(0.1)
    assert 15.9 < world.offer <= 16.0
    if trimmed:
        world.draws(0.9)
        assert world.offer > 16.0
    return world
