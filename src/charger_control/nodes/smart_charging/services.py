"""The services of the smart_charging node: what a CSMS asks, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from charger_control.core.smart_charging import (
    ClearCriteria,
    CompositeDefaults,
    Installation,
    Profile,
    ProfileEngine,
    composite_schedule,
    write_composite_schedule,
)
from charger_control.nodes.smart_charging.book import documents
from charger_control.nodes.smart_charging.keeper import ProfileKeeper
from charger_control.nodes.smart_charging.requests import (
    RequestError,
    clear_request,
    composite_request,
    set_request,
    version_of,
)
from charger_control.ros.interfaces import (
    CLEAR_CHARGING_PROFILE,
    GET_CHARGING_PROFILES,
    GET_COMPOSITE_SCHEDULE,
    SET_CHARGING_PROFILE,
)
from charger_control.ros.node import Answer, BlockNode


class ProfileServices:
    """Answers set, clear, list and composite schedule."""

    def __init__(self, node: BlockNode, keeper: ProfileKeeper, time_zone: tzinfo,
                 hw_amperage: Callable[[], float]) -> None:
        """What the answers come from.

        Args:
            node: that serves.
            keeper: what is installed.
            time_zone: whose wall clock recurring profiles follow.
            hw_amperage: the hardware limit, A per phase; RequestError while it is not known.
        """
        self._keeper, self._wall = keeper, node.wall
        self._time_zone, self._hw_amperage = time_zone, hw_amperage
        self.refused = 0
        self.last_refusal = ''
        node.serve(SET_CHARGING_PROFILE, self._on_set)
        node.serve(CLEAR_CHARGING_PROFILE, self._on_clear)
        node.serve(GET_CHARGING_PROFILES, self._on_list)
        node.serve(GET_COMPOSITE_SCHEDULE, self._on_composite)

    def _on_set(self, request: Any, answer: Answer) -> None:
        keeper = self._keeper

        def install(profile: Profile) -> None:
            keeper.change(lambda installed: installed.install(
                profile, keeper.station, keeper.running, int(self._wall())), self._done(answer))

        self._do(lambda: set_request(request.request_json, version_of(request.ocpp_version),
                                     keeper.station), install, answer)

    def _on_clear(self, request: Any, answer: Answer) -> None:
        def clear(criteria: ClearCriteria) -> None:
            self._keeper.change(lambda installed: cleared(installed, criteria),
                                self._done(answer))

        self._do(lambda: clear_request(request.request_json, version_of(request.ocpp_version)),
                 clear, answer)

    def _on_list(self, _: Any, answer: Answer) -> None:
        installed = self._keeper.installed
        self._do(lambda: documents(installed),
                 lambda text: answer(success=True, code='Accepted', profiles_json=text), answer)

    def _on_composite(self, request: Any, answer: Answer) -> None:
        keeper, begin = self._keeper, int(self._wall())
        installed, running = keeper.installed, keeper.running

        def work() -> str:
            version = version_of(request.ocpp_version)
            wanted = composite_request(request.request_json, version, keeper.station)
            hardware = CompositeDefaults.of_hardware(self._hw_amperage(),
                                                     keeper.station.supply_phases)
            transactions = {} if running is None else {
                running.transaction.evse: running.transaction}
            engine = ProfileEngine(installed.profiles, transactions, self._time_zone)
            # with no vehicle there: what one would get, as the limit that is published
            schedule = composite_schedule(
                engine, wanted.evse, begin, begin + wanted.duration, wanted.unit, hardware,
                evses=keeper.station.evses, assume_transaction=True)
            return json.dumps(write_composite_schedule(schedule, version))

        self._do(work, lambda text: answer(success=True, code='Accepted', response_json=text),
                 answer)

    # -- answers ---------------------------------------------------------------------------------
    def _do(self, work: Callable[[], Any], then: Callable[[Any], None], answer: Answer) -> None:
        self._keeper.worker.do(work, then, lambda error: self._refuse(answer, error))

    def _refuse(self, answer: Answer, error: RequestError) -> None:
        self.refused += 1
        self.last_refusal = str(error)
        answer(success=False, code=error.code, message=error.sentence)

    def _done(self, answer: Answer) -> Callable[[RequestError | None, str], None]:
        def done(error: RequestError | None, warning: str) -> None:
            if error is None:
                answer(success=True, code='Accepted', message=warning)
            else:
                self._refuse(answer, error)

        return done


def cleared(installed: Installation, criteria: ClearCriteria) -> Installation:
    """Without what matches; RequestError if that is nothing, and whose it is then."""
    changed, files = installed.clear(criteria)
    if changed is not installed:
        return changed
    of_files = f'; {", ".join(files)} has installed what does: remove that file' if files else ''
    raise RequestError('Unknown', f'no profile that a CSMS has installed matches{of_files}')
