"""A composite schedule as a picture: blocks in the terminal, or a PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

HEIGHT = 10
"""Rows of the chart."""
MARGIN = 8
"""Columns left of the chart, for its scale."""
BLOCKS = ' ▁▂▃▄▅▆▇█'
ONE_PHASE, THREE_PHASES = '#d95f02', '#1b6ca8'
"""Colours for one phase, and for three or any."""
MOST_TICKS = 13
"""Labels below a PNG."""
LONGEST_TABLE = 48
"""Periods listed below the chart."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is allowed from ``begin`` to ``end``: A per phase or W; phases None: any."""

    begin: datetime
    end: datetime
    limit: float
    phases: int | None

    @property
    def colour(self) -> str:
        """In every picture."""
        return ONE_PHASE if self.phases == 1 else THREE_PHASES


@dataclass(frozen=True, slots=True)
class Schedule:
    """A composite schedule in local time.

    Attributes:
        name: whose it is.
        unit: A or W.
        steps: one after the other without a gap.
    """

    name: str
    unit: str
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any], name: str) -> Schedule:
        """From a GetCompositeSchedule answer of OCPP 2.0.1."""
        schedule = answer['schedule']
        start = datetime.fromisoformat(schedule['scheduleStart'])
        periods = schedule['chargingSchedulePeriod']
        bounds = [start + timedelta(seconds=p['startPeriod']) for p in periods]
        bounds.append(start + timedelta(seconds=schedule['duration']))
        # each in the offset of its own instant, so that a night of 23 or 25 hours is right
        local = [bound.astimezone() for bound in bounds]
        return cls(name, schedule['chargingRateUnit'], tuple(
            Step(local[i], local[i + 1], float(p['limit']), p.get('numberPhases'))
            for i, p in enumerate(periods)))

    @property
    def begin(self) -> datetime:
        """Where it begins."""
        return self.steps[0].begin

    @property
    def end(self) -> datetime:
        """Where it ends."""
        return self.steps[-1].end

    @property
    def top(self) -> float:
        """The highest limit, at least 1."""
        return max(1.0, *(step.limit for step in self.steps))

    @property
    def title(self) -> str:
        """What the picture shows."""
        what = 'A per phase' if self.unit == 'A' else 'W'
        return (f'{self.name}: charging profiles, {what}, {self.begin:%a %d %b %H:%M} to '
                f'{self.end:%a %d %b %H:%M}')

    def lowest(self, begin: float, end: float) -> Step:
        """The step with the lowest limit between two instants, unix s."""
        seen = [step for step in self.steps
                if step.begin.timestamp() < end and step.end.timestamp() > begin]
        return min(seen or self.steps[-1:], key=lambda step: step.limit)

    def ticks(self, most: int) -> Iterator[datetime]:
        """Whole hours or days of local time, ``most`` at the most, evenly apart."""
        hours = (self.end - self.begin).total_seconds() / 3600
        step = next((s for s in (1, 2, 3, 4, 6, 12, 24, 48, 96, 168) if hours / s <= most), 336)
        at = self.begin.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        while at.astimezone() <= self.end:
            if at.astimezone() >= self.begin:
                yield at.astimezone()
            at += timedelta(hours=step)


def chart(schedule: Schedule, width: int) -> Text:
    """The schedule as blocks, one column for a stretch of time: its lowest limit."""
    columns = max(24, width - MARGIN - 1)
    begin, end = schedule.begin.timestamp(), schedule.end.timestamp()
    each = max(end - begin, 1.0) / columns
    cells = [schedule.lowest(begin + i * each, begin + (i + 1) * each) for i in range(columns)]
    drawn = Text(f'{schedule.title}\n', style='bold')
    drawn.append('\n', style='not bold')
    for row in range(HEIGHT, 0, -1):
        mark = f'{schedule.top * row / HEIGHT:g}' if row in (HEIGHT, HEIGHT // 2) else ''
        drawn.append(f'{mark:>{MARGIN - 2}} ┤', style='not bold')
        for step in cells:
            eighths = step.limit / schedule.top * HEIGHT * 8 - (row - 1) * 8
            filled = min(8, max(0, math.floor(eighths + 1e-9)))
            # a limit that is not 0 is seen
            if row == 1 and filled == 0 and step.limit > 0.0:
                filled = 1
            drawn.append(BLOCKS[filled], style=f'not bold {step.colour}')
        drawn.append('\n')
    drawn.append(f'{"0":>{MARGIN - 2}} └{_axis(schedule, begin, each, columns, "─", "┬")}\n',
                 style='not bold')
    drawn.append(f'{"":>{MARGIN}}{_labels(schedule, begin, each, columns)}', style='not bold')
    if any(step.phases == 1 for step in schedule.steps):
        drawn.append('\n\n' + ' ' * MARGIN)
        drawn.append('█ one phase', style=f'not bold {ONE_PHASE}')
        drawn.append('   ')
        drawn.append('█ three phases, or any', style=f'not bold {THREE_PHASES}')
    return drawn


def _axis(schedule: Schedule, begin: float, each: float, columns: int, line: str,
          tick: str) -> str:
    cells = [line] * columns
    for at in schedule.ticks(columns // 8):
        column = int((at.timestamp() - begin) / each)
        if column < columns:
            cells[column] = tick
    return ''.join(cells)


def _labels(schedule: Schedule, begin: float, each: float, columns: int) -> str:
    cells = [' '] * (columns + 5)
    for at in schedule.ticks(columns // 8):
        column = int((at.timestamp() - begin) / each)
        label = _label(at, ' ')
        first = max(0, column - len(label) // 2)
        if column < columns and all(c == ' ' for c in cells[max(0, first - 1):first + len(label)]):
            cells[first:first + len(label)] = label
    return ''.join(cells).rstrip()


def _label(at: datetime, between: str) -> str:
    return f'{at:%a}{between}{at:%d}' if (at.hour, at.minute) == (0, 0) else f'{at:%H:%M}'


def table(schedule: Schedule) -> Table:
    """The periods, with their limits."""
    listed = Table(box=None, padding=(0, 2))
    for heading, justify in (('from', 'left'), ('to', 'left'), (f'limit {schedule.unit}', 'right'),
                             ('phases', 'right')):
        listed.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for step in schedule.steps[:LONGEST_TABLE]:
        listed.add_row(f'{step.begin:%a %d %b %H:%M:%S}', f'{step.end:%a %d %b %H:%M:%S}',
                       f'{step.limit:.1f}', '' if step.phases is None else str(step.phases))
    if len(schedule.steps) > LONGEST_TABLE:
        listed.add_row(f'… {len(schedule.steps) - LONGEST_TABLE} more (--json has all)')
    return listed


def save_png(schedule: Schedule, file: Path) -> None:
    """Writes the schedule as a PNG; OSError where it cannot."""
    # half a second that other subcommands need not wait
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    figure = Figure(figsize=(10.0, 4.0), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for step in schedule.steps:
        axes.fill_between([step.begin, step.end], step.limit, color=step.colour, alpha=0.25,  # type: ignore[arg-type]
                          linewidth=0)
        axes.hlines(step.limit, step.begin, step.end, color=step.colour, linewidth=2.0)  # type: ignore[arg-type]
    for before, after in zip(schedule.steps, schedule.steps[1:], strict=False):
        axes.vlines(after.begin, before.limit, after.limit, color='0.45', linewidth=1.0)  # type: ignore[arg-type]
    axes.set_xlim(schedule.begin, schedule.end)  # type: ignore[arg-type]
    axes.set_ylim(0.0, schedule.top * 1.1)
    axes.set_title(schedule.title, loc='left', fontsize=11)
    axes.set_ylabel('A per phase' if schedule.unit == 'A' else 'W')
    ticks = list(schedule.ticks(MOST_TICKS))
    axes.set_xticks(ticks, [_label(at, '\n') for at in ticks])  # type: ignore[arg-type]
    axes.grid(visible=True, color='0.9')
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    if any(step.phases == 1 for step in schedule.steps):
        axes.legend(handles=[Patch(color=ONE_PHASE, alpha=0.6, label='one phase'),
                             Patch(color=THREE_PHASES, alpha=0.6, label='three phases, or any')],
                    loc='upper right', frameon=False, ncols=2)
    figure.savefig(file, format='png')
