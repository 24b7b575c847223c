"""No false alarms: with a board and a vehicle that obey, no fault is ever found.

Whatever is slow, lost or late: offers, the link, the meter and what it averages over, suspends.
"""

from collections import deque
from statistics import fmean

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charger_control.core.heard import Heard
from charger_control.core.iso61851 import PilotReading
from charger_control.core.iso61851.current_pilot import CurrentPilotConfig, CurrentPilotControl
from charger_control.core.messages.amperage_limit import AmperageLimit
from charger_control.core.messages.decision import AvailableAmperage
from charger_control.core.messages.meter_reading import MeterReading

TICK = 0.1


class Honest:
    """A charge point where everything does as it should, though not at once."""

    def __init__(self, poll, meter_period, slow, feedback):
        self.control = CurrentPilotControl(CurrentPilotConfig(board_timeout=1.5))
        self.now, self.poll, self.meter_period, self.slow = 100.0, poll, meter_period, slow
        self.feedback = feedback        # whether the board knows its contactor
        self.wish, self.plugged = True, False
        self.available = 16.0
        self.order, self.signaled, self.closed = 0.0, 0.0, False
        self.order_at = self.letter_at = self.s2_at = self.now
        self.letter, self.drawn = 'A', 0.0
        self.seen = deque([(self.now, 0.0)])    # what the vehicle was offered
        self.load = deque([0.0] * 18, maxlen=18)   # 1.8 s, which the meter averages over
        self.reading, self.sample, self.polled_at, self.sampled_at = None, None, 0.0, 0.0
        self.link_until = self.meter_until = 0.0

    def live(self):
        """One tick of the hardware."""
        self.now = round(self.now + TICK, 3)
        if self.order != self.signaled and self.now - self.order_at >= 0.3:
            self.signaled = self.order
        self.seen.append((self.now, self.signaled))
        while len(self.seen) > 1 and self.seen[1][0] <= self.now - self.slow:
            self.seen.popleft()
        late = max(signaled for _, signaled in self.seen)   # a drop takes the vehicle ``slow`` s
        stopped = all(s == 0.0 for at, s in self.seen if at >= self.now - min(self.slow, 2.9))
        before = self.letter
        self.letter = ('A' if not self.plugged
                       else 'C' if self.wish and not stopped and self.seen[0][1] > 0.0 else 'B')
        if self.letter != before:
            self.letter_at = self.now
        wanted = self.letter == 'C' and (self.signaled > 0.0 or self.closed)
        if wanted != self.closed and self.now - self.letter_at >= 0.1:
            self.closed = wanted
        self.drawn = 1.04 * late if self.closed and self.letter == 'C' else 0.0
        self.load.append(self.drawn)
        if self.now >= self.link_until and self.now - self.polled_at >= self.poll:
            self.polled_at = self.now
            self.reading = Heard(PilotReading(
                self.letter, self.signaled,
                contactor_closed=self.closed if self.feedback else None), self.now)
        if self.now >= self.meter_until and self.now - self.sampled_at >= self.meter_period:
            self.sampled_at = self.now
            self.sample = Heard(MeterReading(amperage=(fmean(self.load),) * 3), self.now)

    def tick(self):
        """One tick of hardware and software."""
        self.live()
        self.control.hear_hw(Heard(AmperageLimit(32.0), self.now))
        self.control.hear_available(Heard(AvailableAmperage(
            self.available, self.available, self.available > 0.0), self.now))
        if self.sample is not None:
            self.control.hear_meter(self.sample)
        result = self.control.step(self.now, self.reading, '')
        assert result.latch == ''
        assert result.pilot is None or result.pilot.fault == ''
        assert not result.open_contactor
        offer = result.offer or 0.0
        if offer != self.order and self.now >= self.link_until:
            self.order, self.order_at = offer, self.now

    def happen(self, kind, value):
        if kind == 'available':
            self.available = value
        elif kind == 'wish':
            self.wish = not self.wish
        elif kind == 'plug':
            self.plugged = not self.plugged
        elif kind == 'link':
            self.link_until = self.now + value
        elif kind == 'meter':
            self.meter_until = self.now + value
        elif kind == 'suspend':
            self.link_until = self.meter_until = self.now + value
            for _ in range(round(value / TICK)):
                self.live()


happenings = st.one_of(
    st.tuples(st.just('available'), st.sampled_from([0.0, 6.0, 8.0, 10.0, 16.0, 32.0])),
    st.tuples(st.sampled_from(['wish', 'plug']), st.none()),
    st.tuples(st.sampled_from(['link', 'meter', 'suspend']),
              st.sampled_from([0.3, 0.9, 1.4, 2.0, 4.0, 12.0])))


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([0.2, 0.5]), st.sampled_from([0.2, 1.0, 2.5]),
       st.sampled_from([0.3, 2.0, 5.5]), st.booleans(),
       st.lists(st.tuples(happenings, st.integers(1, 90)), max_size=12))
def test_an_honest_charge_point_has_no_fault(poll, meter_period, slow, feedback, history):
    world = Honest(poll, meter_period, slow, feedback)
    for _ in range(10):
        world.tick()
    world.plugged = True
    for (kind, value), ticks in [(('wish', None), 5), (('wish', None), 100), *history]:
        world.happen(kind, value)
        for _ in range(ticks):
            world.tick()
