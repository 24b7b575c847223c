"""The picture of a depot's night: each phase against the fuse, and what each charger draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from charger_control.sim.depot.grid_log import Night

PICTURES = ('.png', '.svg')
_PHASES = (('L1', '#8c564b'), ('L2', '#111111'), ('L3', '#0284c7'))
_OTHERS, _FUSE = '#9ca3af', '#b91c1c'
_MOST_POINTS = 8000
_DRAWING = 0.5
_FEW = 6
"""So many chargers are drawn as lines of one diagram; more as one row each."""


def picture_file(context: click.Context, parameter: click.Parameter, path: Path | None
                 ) -> Path | None:
    """Checks the suffix of a picture's file, for click."""
    if path is not None and path.suffix.lower() not in PICTURES:
        raise click.BadParameter(f'{path} (allowed: a file name that ends in '
                                 f'{" or ".join(PICTURES)})')
    return path


def draw(path: Path, night: Night, title: str) -> None:
    """Writes the picture; its suffix says in which format.

    Three diagrams of the phases: what flows at the point of supply, the other loads in it, and
    the fuse. Below, what each charger draws on its highest phase.
    """
    mpl.rcParams['svg.hashsalt'] = 'charger'    # the same picture for the same night
    rows = len(night.chargers)
    below = 2.6 if rows <= _FEW else 1.0 + 0.27 * rows
    figure = Figure(figsize=(13, 6.2 + below), layout='constrained')
    *phases, chargers = figure.subplots(4, 1, sharex=True,
                                        gridspec_kw={'height_ratios': [2, 2, 2, below]})
    scale, unit = (3600.0, 'h') if night.time[-1] > 2 * 3600.0 else (60.0, 'min')
    every = max(1, len(night.time) // _MOST_POINTS)
    time = [at / scale for at in night.time[::every]]
    top = 1.1 * max(*night.fuse, *(max(a) for a in night.amperage))
    for number, axes in enumerate(phases):
        _phase(axes, night, number, time, every)
        axes.set_ylim(0.0, max(top, 1.0))
    if rows <= _FEW:
        _lines(chargers, night, time, every)
    else:
        _rows(chargers, night, time, every, figure)
    _mark(phases, chargers, night, scale)
    phases[0].set_title(title)
    handles, labels = phases[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper right', ncols=4, fontsize=8, frameon=False)
    chargers.set_xlabel(f'{unit} since the start')
    chargers.set_xlim(0.0, time[-1] or 1.0)
    figure.savefig(path, dpi=110)


def _peaks(values: Sequence[float], every: int) -> list[float]:
    """The highest of each group: thinning must not hide what exceeds a fuse."""
    return [max(values[i:i + every]) for i in range(0, len(values), every)]


def _phase(axes: Axes, night: Night, number: int, time: Sequence[float], every: int) -> None:
    name, colour = _PHASES[number]
    axes.fill_between(time, _peaks(night.other_loads[number], every), step='post', color=_OTHERS,
                      alpha=0.5, linewidth=0, label='other loads')
    axes.step(time, _peaks(night.amperage[number], every), where='post', color='#1d4ed8',
              linewidth=1.1, label='all: vehicles and other loads')
    axes.axhline(night.fuse[number], color=_FUSE, linewidth=1.2, linestyle='--', label='fuse')
    axes.set_ylabel(f'{name}  [A]', color=colour)
    axes.grid(alpha=0.3)


def _lines(axes: Axes, night: Night, time: Sequence[float], every: int) -> None:
    for number, (name, values) in enumerate(night.chargers.items()):
        axes.step(time, _peaks(values, every), where='post', linewidth=1.2,
                  color=mpl.colormaps['tab10'](number), label=name)
    axes.set_ylabel('charger  [A, highest phase]')
    axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.3)
    axes.legend(loc='upper left', bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _rows(axes: Axes, night: Night, time: Sequence[float], every: int, figure: Figure) -> None:
    """One row a charger, its colour the current: twenty lines over each other say nothing."""
    values = [_peaks(v, every) for v in night.chargers.values()]
    edges = [*time, time[-1] + (time[-1] - time[-2] if len(time) > 1 else 1.0)]
    colours = mpl.colormaps['viridis'].with_extremes(under='#ffffff')
    mesh = axes.pcolormesh(edges, range(len(values) + 1), values, cmap=colours, vmin=_DRAWING,
                           vmax=max(16.0, *(max(v) for v in values)), rasterized=True)
    axes.set_yticks([n + 0.5 for n in range(len(values))], list(night.chargers), fontsize=8)
    axes.invert_yaxis()
    axes.set_ylabel('charger')
    for n in range(1, len(values)):
        axes.axhline(n, color='#e5e7eb', linewidth=0.5)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30, extend='min')
    bar.set_label('A on its highest phase (white: none)', fontsize=8)


def _mark(phases: Sequence[Axes], chargers: Axes, night: Night, scale: float) -> None:
    """A line with words where something was broken."""
    troubles = [(at, what) for at, what in night.events
                if what.startswith(('kill', 'trip', 'lose', 'silence', 'cable'))]
    for at, what in troubles:
        for axes in (*phases, chargers):
            axes.axvline(at / scale, color='#7c3aed', linewidth=0.9, linestyle=':')
        phases[0].annotate(what, (at / scale, 0.03), xytext=(-2, 0), textcoords='offset points',
                           xycoords=('data', 'axes fraction'), rotation=90, ha='right',
                           va='bottom', fontsize=7, color='#7c3aed')
