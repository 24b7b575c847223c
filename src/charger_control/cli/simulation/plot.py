"""The picture of ``charger simulate``: currents over time, and the state of the pilot."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from charger_control.sim.offline.experiment import DRAWING, Record

_PHASES = (('amperage_l1', 'L1', '#8c564b', 3.2), ('amperage_l2', 'L2', '#111111', 2.0),
           ('amperage_l3', 'L3', '#38bdf8', 0.9))
"""Column, name, colour and width: equal phases lie on one another and are all seen."""
_COLOURS = {'A': '#ffffff', 'B': '#f6d55c', 'C': '#7bc47f', 'D': '#b39ddb', 'E': '#e57373',
            'F': '#e57373', 'S': '#cccccc', 'R': '#e57373'}
"""By the letter of the state; state 1 of a letter is paler."""
_MOST_POINTS = 20_000
_WIDTH_OF_A_LETTER = 0.006
"""As a share of the whole width."""


def draw(path: Path, record: Record, hard_limit: float, title: str) -> None:
    """Writes the picture; its suffix says in which format. ``hard_limit``: A, min(HW, cable)."""
    mpl.rcParams['svg.hashsalt'] = 'charger'    # the same picture for the same record
    figure = Figure(figsize=(12, 7), layout='constrained')
    currents, states = figure.subplots(
        2, 1, sharex=True, gridspec_kw={'height_ratios': [8, 1]})
    _currents(currents, record, hard_limit)
    _states(states, record)
    currents.set_title(title)
    figure.savefig(path, dpi=110)


def _currents(axes: Axes, record: Record, hard_limit: float) -> None:
    numbers = record.numbers
    every = max(1, len(numbers['time']) // _MOST_POINTS)
    time = numbers['time'][::every]
    commanded = numbers['commanded'][::every]
    axes.fill_between(time, [a - 0.2 for a in commanded], [a + 0.2 for a in commanded],
                      step='post', color='#1a7f37', alpha=0.15, linewidth=0)
    axes.step(time, commanded, where='post', color='#1a7f37', linewidth=2.0,
              label='commanded (band: 0.2 A)')
    axes.step(time, numbers['available'][::every], where='post', color='#d97706', linewidth=3.5,
              alpha=0.45, label='available')
    axes.step(time, numbers['signaled'][::every], where='post', color='#c026d3', linewidth=1.2,
              label='signaled')
    for name, label, colour, width in _PHASES:
        if max(numbers[name], default=0.0) >= DRAWING:
            axes.plot(time, numbers[name][::every], color=colour, linewidth=width,
                      label=f'amperage {label}')
    axes.axhline(hard_limit, color='#b91c1c', linewidth=1.0, linestyle=':',
                 label='min(HW limit, cable)')
    axes.set_ylabel('A per phase')
    axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.3)
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.01), ncols=7, fontsize=8,
                frameon=False)


def _states(axes: Axes, record: Record) -> None:
    end = record.numbers['time'][-1] if record.numbers['time'] else 0.0
    axes.set_yticks([])
    axes.set_ylim(0.0, 1.0)
    axes.set_xlim(0.0, max(end, 1.0))
    axes.set_xlabel('s')
    axes.set_ylabel('state')
    spans: list[tuple[float, float, str, str]] = []
    following = [at for at, *_ in record.states[1:]] + [end]
    for (at, state, fault, _), until in zip(record.states, following, strict=True):
        if spans and spans[-1][2:] == (state, fault):
            spans[-1] = (spans[-1][0], until, state, fault)
        else:
            spans.append((at, until, state, fault))
    for at, until, state, fault in spans:
        colour = '#e57373' if fault else _COLOURS.get(state[:1], '#ffffff')
        axes.axvspan(at, until, color=colour, alpha=0.5 if state.endswith('1') else 0.9,
                     linewidth=0)
        axes.axvline(at, color='#666666', linewidth=0.5)
        if until - at > 2 * _WIDTH_OF_A_LETTER * end:
            named = fault and until - at > _WIDTH_OF_A_LETTER * len(fault) * end
            axes.text((at + until) / 2, 0.5, f'{state}\n{fault}' if named else state,
                      ha='center', va='center', fontsize=8)
