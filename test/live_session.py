"""A charging session as tests see it: on REST, on the topic, and what the vehicle really got."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from live_charger import LiveCharger, wait_until
from live_topics import Topics

from charger_control.core.messages.session import Transaction
from charger_control.ros.interfaces import TRANSACTION

RESOLUTION = 0.001
"""kWh, the least step of the simulated meter's register."""
BEFORE = 123.5
"""kWh in the register as the simulated charger starts."""
SCENARIO = {'vehicle': 'ideal', 'steps': [], 'meter': {'energy_imported': BEFORE}}


class Session:
    """The session as it is on REST and on the topic, which must say the same."""

    def __init__(self, charger: LiveCharger, topics: Topics) -> None:
        self.charger, self._topics = charger, topics

    def comes_to(self, state: str, timeout: float = 20.0,
                 condition: Callable[[Transaction], bool] = lambda _: True, new: bool = False
                 ) -> dict[str, Any]:
        """The transaction of REST once it is in that state, and the topic's too.

        ``new``: a message of before this call does not count.
        """
        self._topics.wait_for(TRANSACTION, lambda t: t.state == state and condition(t), timeout,
                              f'{state} on the topic', new)

        def agrees() -> dict[str, Any] | None:
            answer = self.charger.get('transaction').json()
            said = self._topics.last(TRANSACTION)
            same = answer.get('state') == state == said.state and (
                answer['sessionId'] == said.session_id
                and answer['vehicleStatus'] == said.vehicle_status)
            return answer if same and condition(said) else None

        found: dict[str, Any] = wait_until(agrees, 5.0, f'{state} on REST')
        return found

    def charges_on(self, timeout: float = 30.0) -> dict[str, Any]:
        """The transaction once the register has moved by enough to show something."""
        start = self._topics.last(TRANSACTION).meter_stop
        return self.comes_to('Charging', timeout, lambda t: t.meter_stop > start + 4.0 * RESOLUTION,
                             new=True)

    @property
    def states(self) -> list[str]:
        """The states that came on the topic, each once in a row."""
        return [state for state, _ in groupby(t.state for t in self._topics.all(TRANSACTION))]

    def energy_is_that_into_the_vehicle(self, ended: dict[str, Any], before: float = 0.0) -> float:
        """Checks the registers of an ended session; what the plant has delivered by now, kWh."""
        assert self.charger.board is not None
        truth = self.charger.board.truth()
        delivered = float(truth['plant']['energy'])
        assert delivered - before > 5.0 * RESOLUTION, 'the test charges too little to show anything'
        energy = ended['meterStop'] - ended['meterStart']
        assert abs(energy - (delivered - before)) <= RESOLUTION + 1e-6, (
            f'{energy:.6f} kWh on record, {delivered - before:.6f} into the vehicle: {ended}; '
            f'the register has {truth["meter"]["energy_imported"]:.6f}')
        return delivered
