"""Several blocks in one process on one executor: ``control [BLOCK ...] --ros-args ...``.

Devices that share a serial line must be in one process; `charger up` runs all blocks in one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

from charger_control.drivers.lines.bus import Buses
from charger_control.ros.node import BlockNode
from charger_control.ros.runner import EXIT_CONFIG, run

CLASSES = {
    'fiscal_meter': 'FiscalMeter',
    'grid_meter': 'GridMeter',
    'hw_limit': 'HwLimit',
    'smart_charging': 'SmartCharging',
    'api': 'Api',
    'cppwm_controller': 'CppwmController',
    'iso61851': 'Iso61851',
    'team': 'Team',
    'vcse': 'Vcse',
    'session': 'Session',
}
MODULES = {'grid_meter': 'fiscal_meter', 'smart_charging': 'smart_charging.node',
           'cppwm_controller': 'cppwm_controller.node'}
WITH_DEVICE = frozenset({'fiscal_meter', 'grid_meter', 'iso61851'})


def maker_of(block: str, buses: Buses) -> Callable[[], BlockNode]:
    """What builds the node of a block; its module is imported only now."""
    module = import_module(f'charger_control.nodes.{MODULES.get(block, block)}')
    maker: Callable[..., BlockNode] = getattr(module, CLASSES[block])
    return partial(maker, buses=buses) if block in WITH_DEVICE else maker


def main(argv: list[str] | None = None, buses: Buses | None = None,
         first: Callable[[], BlockNode] | None = None) -> int:
    """Runs the named blocks.

    Args:
        argv: command line; default: this process's.
        buses: where devices find their lines.
        first: makes a node that comes before all others.
    """
    argv = sys.argv if argv is None else argv
    split = argv.index('--ros-args') if '--ros-args' in argv else len(argv)
    blocks = argv[1:split]
    unknown = [b for b in blocks if b not in CLASSES]
    if unknown or not blocks:
        print(f'control: name one or more blocks of: {" ".join(CLASSES)}'
              + (f' (there is no {unknown[0]!r})' if unknown else ''), file=sys.stderr)
        return EXIT_CONFIG
    buses = buses or Buses()  # devices on one line have one owner
    makers = [maker_of(block, buses) for block in blocks]
    return run([first, *makers] if first else makers, argv)


if __name__ == '__main__':
    sys.exit(main())
