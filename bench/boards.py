"""What each board's own log says: `python bench/boards.py [--json FILE]`, a table for README.md.

Every simulated board (written from makers' sources and independent clients) with its driver and the
block of control pilot, on a fake clock, through the cases of test/drivers/board_cases.py. A board
is one entry of BOARDS. Told are 10 A, nothing while "asleep".
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
# bench/serial.py is not pyserial
sys.path[:] = [path for path in sys.path if Path(path or '.').resolve() != _HERE]
sys.path += [str(_HERE.parent / 'test' / 'drivers')]

from board_cases import CASES, TOLD, Facts, facts  # noqa: E402
from board_on_clock import BoardOnClock  # noqa: E402

BOARDS: dict[str, tuple[str, dict[str, Any]]] = {
    'EVSE-DIN 18': ('evse_din', {}),
    'EVSE-DIN 17, 0.01 A': ('evse_din', {'board': {'firmware': 17}, 'fine_steps': True}),
    'EVSE-DIN 15': ('evse_din', {'board': {'firmware': 15}}),
    'EVSE-DIN 15, silent instead of refusing': (
        'evse_din', {'board': {'firmware': 15, 'silent_refusals': True}}),
    'OpenEVSE 8.2.3': ('openevse', {}),
    'EV-CC-AC1-M3': ('phoenix_ev_ser', {}),
    'EM-CP-PP-ETH': ('phoenix_em_eth', {}),
    'EM-CP-PP-ETH, registers with two sources': ('phoenix_em_eth', {'board': {'sparse': True}}),
}
"""Name: driver, and what of BoardOnClock; older firmware has rows of its own."""
TOO_OLD: dict[str, tuple[str, dict[str, Any]]] = {
    'OpenEVSE before RAPI 5': ('openevse', {'board': {'old_rapi': True}}),
}
"""Boards that are offered nothing, whatever the case."""


def _reset(found: Facts) -> str:
    above = found['s above told']
    most = f'{found["highest"]:g} A for {above:g} s' if above else f'never above {TOLD:g} A'
    return f'{most}, then {found["then"]:g} A'


WORDS: Mapping[str, Callable[[Facts], str]] = {
    'plugged in while asleep': lambda found: (
        f'{found["seen"]} seen, {found["offered asleep"]:g} A; then {found["then"]:g} A, '
        f'{"charges" if found["charges"] else "does not charge"}'),
    'unplugged while asleep': lambda found: (
        f'{found["seen"]} seen; the next one waits in {found["next"]}, {found["offered"]:g} A'),
    'fault while charging': lambda found: (
        f'{found["fault"]}, {"opened" if found["opened"] else "not opened"}, '
        f'{found["closings into it"]} closings into it; gone: {found["then"]:g} A'),
    'reset': _reset,
    'silent': lambda found: (
        f'{found["offered meanwhile"]:g} A meanwhile; withdrawn {found["withdrawn after"]:.2f} s '
        f'after its return, then {found["then"]:g} A'),
    'a vehicle that sleeps': lambda found: (
        f'state F for it: {found["woken"]}; '
        f'{"charges" if found["charges"] else "sleeps on, which is said"}'),
}
"""A case's figures in words, for a cell."""


def refused(board: BoardOnClock) -> tuple[float, str]:
    """A, the most in a minute with a vehicle that is told TOLD; and why no more."""
    board.start().run(4.0)
    since = board.clock.now
    board.do('plug_in', vehicle='ideal', cable=32)
    board.amperage = TOLD
    board.run(60.0)
    return board.highest(since), board.sample.error


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    flat: dict[str, float] = {}
    print(f'| board | {" | ".join(CASES)} |\n|{"---|" * (len(CASES) + 1)}')
    for name, (driver, options) in BOARDS.items():
        cells = []
        for case in CASES:
            found = facts(case, BoardOnClock(driver, **options))
            cells.append(WORDS[case](found))
            flat |= {f'boards.{name}.{case}.{what}': float(value) for what, value in found.items()
                     if isinstance(value, int | float)}
        print(f'| {name} | {" | ".join(cells)} |', flush=True)
    for name, (driver, options) in TOO_OLD.items():
        most, why = refused(BoardOnClock(driver, **options))
        flat[f'boards.{name}.highest'] = most
        print(f'| {name} | in all columns {most:g} A: {why} {"|" * len(CASES)}')
    if arguments.json:
        arguments.json.write_text(json.dumps(flat, indent=2) + '\n')


if __name__ == '__main__':
    main()
