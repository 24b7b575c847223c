"""Which blocks run in which process, and its command line. Without rclpy and without launch.

Shared by `charger up`, the launch files, and the tests that start one process per node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from charger_control.ros.parameters import ParameterError
from charger_control.ros.params_file import PARAMETERS, values_of

CHARGER_BLOCKS = ('fiscal_meter', 'hw_limit', 'smart_charging', 'api', 'cppwm_controller',
                  'iso61851', 'session')
"""The blocks of one charger."""
TEAM_BLOCKS = ('team', 'vcse')
"""The blocks of one team; those of a team of one run beside its charger."""
BLOCKS = (*CHARGER_BLOCKS, *TEAM_BLOCKS)
TEAM_TOPICS = ('team/request', 'team/allocation')
"""What a charger has with its team."""
TEAM_NAMES = (*TEAM_TOPICS, 'vcse/request', 'vcse/budget', 'set_dimming')
"""What a charger that may lead, or its bridge, has under the namespace of its team."""
PARENT_TOPICS = ('request', 'allocation')
"""What a vcse has with the team above it: parent/... here, team/... there."""
GRID_METER = 'grid_meter'
"""Runs beside the vcse where a parameter file names its device."""
WITH_STATE = ('api', 'cppwm_controller', 'fiscal_meter', 'iso61851', 'smart_charging', 'team',
              'session', 'vcse')
"""Nodes that keep something over restarts."""
DEVICES = ('iso61851', 'fiscal_meter', GRID_METER)
PILOT = 'iso61851'
"""The block that holds the board: its process is guarded."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process.

    Attributes:
        blocks: that run in it.
        command: argv, `charger guard` included where it holds the pilot.
    """

    blocks: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people: the blocks."""
        return '+'.join(self.blocks) if len(self.blocks) <= len(DEVICES) else 'control'


def with_grid_meter(blocks: Sequence[str], files: Sequence[Path], namespace: str
                    ) -> tuple[str, ...]:
    """``blocks``, with the grid meter if files name a device for it.

    Raises:
        ParameterError: they do, and the vcse is not told that it counts: nothing would guard the
            fuse although a meter hangs there; or that meter cannot guard it.
    """
    grid = values_of(files, GRID_METER, namespace)
    named = any(name.startswith('device.') for name in grid)
    if named and 'vcse' in blocks:
        _check_grid_meter(f'/{namespace.strip("/")}/{GRID_METER}', grid,
                          values_of(files, 'vcse', namespace))
    return (*blocks, GRID_METER) if named else tuple(blocks)


def _check_grid_meter(name: str, grid: Mapping[str, Any], vcse: Mapping[str, Any]) -> None:
    """Refuses a grid meter that nobody asks, and one that guards no fuse though it is to."""
    if not vcse.get('grid_meter'):
        if vcse.get('dimming'):
            return  # for its voltage
        raise ParameterError(f'{name}.device is set, and vcse.grid_meter is not true: nobody would '
                             'ask that meter. Set vcse.grid_meter to true, or remove the section '
                             f'{GRID_METER}')
    if (not grid.get('phase_currents', True) and not grid.get('phase_power', False)
            and vcse.get('feed_in', True)):
        raise ParameterError(
            f'{name}: phase_currents = false, phase_power = false: its total power guards no fuse '
            'where something feeds in: sun on one phase hides the current of another. If the meter '
            f'tells the power of each phase (charger meter read shows it), set {GRID_METER}.'
            'phase_power: true; only if nothing feeds in behind it, vcse.feed_in: false; for the '
            'voltage that dimming counts with, and no fuse, vcse.grid_meter: false')


def state_dirs(files: Sequence[Path], namespace: str) -> set[str]:
    """Where the nodes of a namespace keep what outlives a restart."""
    return {str(values_of(files, node, namespace).get('state_dir', '')) for node in WITH_STATE}


def one_each(blocks: Sequence[str], files: Sequence[Path], namespace: str
             ) -> list[tuple[str, ...]]:
    """The blocks by process: one each, but those whose devices share a port together."""
    ports = {block: _line_of(values_of(files, block, namespace)) or f'of {block}'
             for block in DEVICES if block in blocks}
    shared = [tuple(b for b in ports if ports[b] == port) for port in dict.fromkeys(ports.values())]
    return shared + [(block,) for block in blocks if block not in ports]


def _line_of(values: Mapping[str, Any]) -> str:
    """What a device hangs on: its port, or its host and TCP port; '' unknown."""
    port = values.get('device.port', '')
    host = values.get('device.host')
    return f'{host}:{port or 502}' if host else str(port)


def program(blocks: Sequence[str], place: Path, files: Sequence[Path], namespace: str,
            arguments: Sequence[str]) -> Program:
    """The process of these blocks.

    Args:
        blocks: of this package; 'bridge' alone is the web bridge.
        place: folder of the executables.
        files: parameter files, from which the guard of the pilot's process knows the board.
        namespace: of the nodes.
        arguments: see ``ros_arguments``.
    """
    alone = len(blocks) == 1 and blocks[0] != GRID_METER  # that is fiscal_meter by another name
    command = [str(place / blocks[0])] if alone else [str(place / 'control'), *blocks]
    command += arguments
    if PILOT in blocks:
        guard = [str(place / 'charger'), 'guard', '--namespace', namespace]
        for path in files:
            guard += ['--config', str(path)]
        command = [*guard, '--', *command]
    return Program(tuple(blocks), tuple(command))


def ros_arguments(files: Sequence[Path], namespace: str, log_level: str,
                  remaps: Mapping[str, str] | None = None, use_sim_time: bool = False
                  ) -> list[str]:
    """The --ros-args of a process."""
    arguments = ['--ros-args', '-r', f'__ns:=/{namespace.strip("/")}', '--log-level', log_level]
    for source, target in (remaps or {}).items():
        arguments += ['-r', f'{source}:={target}']
    for path in files:
        arguments += ['--params-file', str(path)]
    if use_sim_time:
        arguments += ['-p', 'use_sim_time:=true']
    return arguments


class _Plain(yaml.SafeDumper):
    """Without aliases for what appears twice: rcl refuses them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def overrides_file(path: Path, namespace: str, overrides: Mapping[str, Mapping[str, object]]
                   ) -> Path:
    """Writes what a command line sets, by node, as a parameter file: -p cannot name a node in a
    namespace.

    rcl lays the sections of all files over each other in the order in which each pattern first
    appears, so a pattern that nobody else uses, in the last file, wins over everything.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    prefix = '/'.join(['', *filter(None, [namespace.strip('/')]), '**', '**'])
    path.write_text(yaml.dump({f'{prefix}/{node}': {PARAMETERS: dict(values)}
                               for node, values in overrides.items() if values}, Dumper=_Plain))
    return path


def simulated(file: Path, line: Path) -> dict[str, dict[str, object]]:
    """Overrides under which every device is the simulated one on ``line``, whatever files say.

    Args:
        file: config/sim.yaml, which names the simulated devices.
        line: the port of the simulated serial line.
    """
    found: dict[str, dict[str, object]] = {}
    for block in ('fiscal_meter', PILOT):
        devices = {name: value for name, value in values_of([file], block).items()
                   if name.startswith('device.')}
        found[block] = {**devices, 'device.port': str(line)}
    return found


def team_remaps(namespace: str) -> dict[str, str]:
    """Remaps that take what a charger has with its team into the team's namespace."""
    return {name: f'/{namespace.strip("/")}/{name}' for name in TEAM_NAMES}


def parent_remaps(namespace: str) -> dict[str, str]:
    """Remaps that make a vcse a member of the team in ``namespace``."""
    return {f'parent/{topic}': f'/{namespace.strip("/")}/team/{topic}' for topic in PARENT_TOPICS}


def simulator_command(place: Path, line: Path, scenario: str = '') -> list[str]:
    """The simulated devices of one charger.

    Args:
        place: folder of the executables.
        line: where the serial line appears; control socket, log and memory lie beside it.
        scenario: file; '': a vehicle is plugged in after 2 s.
    """
    command = [str(place / 'charger'), 'sim', '--link', str(line), '--control', f'{line}.sock',
               '--log', f'{line}.jsonl', '--eeprom', f'{line}.eeprom']
    return [*command, '--scenario', scenario] if scenario else command
