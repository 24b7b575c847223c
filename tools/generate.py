"""Makes what the code is the truth for: config/charger.yaml and parameters, topics, words in docs/.

``generate.py`` writes them; ``generate.py --check`` exits with 1 if one is out of date.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import words_table

from charger_control.cli.config import NODES
from charger_control.drivers.registry import METERS, PILOTS
from charger_control.ros.interfaces import SERVICES, TOPICS
from charger_control.ros.parameters import Group, Param, Required

ROOT = Path(__file__).parents[1]
NOTE = 'Made by tools/generate.py from the code: do not edit.'
HEAD = f"""\
# One charger: every parameter with its unit and default. {NOTE}
# Copy it, set what has no default (marked REQUIRED), check it with
#   charger config check my-charger.yaml
# and start with
#   charger up --config my-charger.yaml
# A line that is commented out shows the default. Numbers with a unit are floats: 16.0, not 16.
"""
EXAMPLE = {'iso61851': 'evse_din'}
WHERE = {'grid_meter': 'only where a grid meter is installed (a second fiscal_meter)'}


def value_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return '.nan' if math.isnan(value) else repr(value)
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list):
        return '[' + ', '.join(str(v) for v in value) + ']'
    return str(value)


def bounds(param: Param) -> str:
    """Range and unit in few signs, for a comment."""
    words = param.allowed().replace('a number like 16.0', '').replace('an integer', 'integer')
    words = words.replace(' from ', ' ').replace(' to ', '..', 1).strip(' ,')
    return words or param.unit or 'a number'


def params_of(node: str) -> tuple[Param | Group, ...]:
    module = import_module(f'charger_control.{NODES[node]}')
    result: tuple[Param | Group, ...] = module.PARAMS
    return result


def rooms() -> Iterator[tuple[str, tuple[Param | Group, ...], str]]:
    for node, module in NODES.items():
        about = (import_module(f'charger_control.{module}').__doc__ or '').strip().split('\n')[0]
        yield node, params_of(node), about


def charger_yaml() -> str:
    lines = [HEAD, '/**:']
    for node, params, about in rooms():
        optional = node in WHERE
        mark = '# ' if optional else ''
        lines += ['', f'  # {WHERE.get(node) or about}', f'  {mark}{node}:',
                  f'  {mark}  ros__parameters:']
        shown = 0
        for param in params:
            if isinstance(param, Group):
                lines += [f'      # {param.about}', '      # REQUIRED, e.g.',
                          f'      # device: {{driver: {EXAMPLE.get(node, "sdm630")}, '
                          'port: /dev/serial/by-id/usb-...}']
                continue
            lines += [f'      # {text}' for text in textwrap.wrap(
                f'{param.about} [{bounds(param)}]', 92)]
            if isinstance(param.default, Required):
                lines.append(f'      # {param.name}:   # REQUIRED')
            elif optional or param.default == []:
                lines.append(f'      # {param.name}: {value_text(param.default)}')
            else:
                shown += 1
                lines.append(f'      {param.name}: {value_text(param.default)}')
        if not optional and not shown:
            lines[-1:] = [lines[-1], '      {}']
    return '\n'.join(lines) + '\n'


def parameters_md() -> str:
    lines = ['# Parameters', '', NOTE, '']
    for node, params, about in rooms():
        lines += [f'## {node}', '', about, '',
                  '| parameter | default | allowed | what it does |', '|---|---|---|---|']
        for param in params:
            if isinstance(param, Group):
                lines.append(f'| {param.name}.* | required | see the drivers below | '
                             f'{param.about} |')
                continue
            default = ('required' if isinstance(param.default, Required)
                       else f'`{value_text(param.default)}`')
            change = '' if param.fixed else ' May be changed while the node runs.'
            allowed = param.allowed().replace('|', 'or')
            lines.append(f'| {param.name} | {default} | {allowed} | {param.about}.{change} |')
        lines.append('')
    for title, drivers in (('Meter drivers', METERS), ('Pilot drivers', PILOTS)):
        lines += [f'## {title}: `device.driver` and its options', '']
        for name, driver in drivers.items():
            lines += [f'### {name}', '', driver.description, '',
                      '| option | default | allowed | what it is |', '|---|---|---|---|']
            for option in driver.options():
                default = 'required' if option.default is None else f'`{option.default}`'
                lines.append(f'| device.{option.name} | {default} | {option.allowed} | '
                             f'{option.description} |')
            lines.append('')
    return '\n'.join(lines)


def topics_md() -> str:
    lines = ['# Topics and services', '', NOTE, '',
             'Names are relative to the namespace of the charger.', '',
             '| topic | type | from | to | QoS | what it carries |', '|---|---|---|---|---|---|']
    for topic in TOPICS:
        kind = topic.type.__module__.split('.')[0] + '/' + topic.type.__name__
        sources = 'every node' if topic.publishers == ('*',) else ', '.join(topic.publishers)
        lines.append(f'| {topic.name} | {kind} | {sources} | {", ".join(topic.subscribers) or "—"} '
                     f'| {topic.kind.value} | {topic.about} |')
    lines += ['', '| service | type | answered by | what it does |', '|---|---|---|---|']
    for row in SERVICES:
        kind = row.type.__module__.split('.')[0] + '/' + row.type.__name__
        lines.append(f'| {row.name} | {kind} | {row.server} | {row.about} |')
    return '\n'.join([*lines, ''])


def main() -> int:
    made = {'config/charger.yaml': charger_yaml(), 'docs/parameters.md': parameters_md(),
            'docs/topics.md': topics_md(), 'docs/words.md': words_table.document()}
    stale = []
    for name, text in made.items():
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if '--check' not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if stale and '--check' in sys.argv:
        print(f'out of date: {", ".join(stale)}. Run: python tools/generate.py', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
