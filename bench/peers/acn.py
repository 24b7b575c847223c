"""ACN-Sim's sorted and round-robin algorithms on the members of a team (acnportal)."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from charger_control.core.team import MemberState
from charger_control.core.team.shares.fairness import uses_of

PLACE = 'BENCH_ACN'
"""Environment: a virtual environment with acnportal, which needs other versions than this one."""
HOW_TO_INSTALL = f"""ACN-Sim was not measured, acnportal is not here. To have it:
  python3 -m venv /tmp/acn && /tmp/acn/bin/pip install -r tools/requirements-bench.txt
  {PLACE}=/tmp/acn python bench/team.py"""


def available() -> bool:
    """Whether acnportal can be imported, from the place that the environment names."""
    place = os.environ.get(PLACE)
    if place:
        sys.path += [str(p) for p in Path(place).glob('lib/python3*/site-packages')]
    try:
        import acnportal.algorithms  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def scheduler(members: Sequence[MemberState], budget: Sequence[float], round_robin: bool
              ) -> Callable[[], dict[str, float]]:
    """A function that allocates the members once, as ACN-Sim does it.

    The supply is a European one: one constraint row for each phase, all angles alike, so that a
    row is a plain sum. Everyone's lower bound is its minimum.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from acnportal import algorithms  # noqa: PLC0415
        from acnportal.acnsim.interface import (  # noqa: PLC0415
            InfrastructureInfo,
            SessionInfo,
        )

    class Static:
        """What the algorithms ask of a simulator."""

        period = 5.0
        current_time = 0

        def infrastructure_info(self) -> Any:
            return infrastructure

        def remaining_amp_periods(self, session: Any) -> float:
            return 1e9

    count = len(members)
    names = [m.member for m in members]
    most = np.array([m.requested_amperage for m in members])
    infrastructure = InfrastructureInfo(
        uses_of(members).astype(float), np.array(budget), np.zeros(count), np.full(count, 230.0),
        ['L1', 'L2', 'L3'], names, most, np.zeros(count), [np.array([0.0, m]) for m in most],
        np.ones(count, dtype=bool))
    sessions = [SessionInfo(m.member, m.member, 1e6, 0.0, arrival=0, departure=2, current_time=1,
                            min_rates=m.minimum_amperage, max_rates=m.requested_amperage)
                for m in members]
    first_come = algorithms.first_come_first_served
    algorithm = (algorithms.RoundRobin(first_come, continuous_inc=1.0) if round_robin
                 else algorithms.SortedSchedulingAlgo(first_come))
    algorithm.register_interface(Static())

    def run() -> dict[str, float]:
        schedule = algorithm.schedule(sessions)
        return {name: float(rates[0]) for name, rates in schedule.items()}
    return run
