"""What each board's own log says: `python bench/boards.py [--json FILE]`.

Every simulated board (written from makers' sources and independent clients) with its driver and the
block of control pilot, on a fake clock, through the cases of test/drivers/board_cases.py. A board
is one entry of BOARDS. Told are 10 A, nothing while "asleep".
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
# bench/serial.py is not pyserial
sys.path[:] = [path for path in sys.path if Path(path or '.').resolve() != _HERE]
sys.path += [str(_HERE.parent / 'test' / 'drivers')]

from board_cases import CASES, facts  # noqa: E402
from board_on_clock import BoardOnClock  # noqa: E402

BOARDS: dict[str, tuple[str, dict[str, Any]]] = {
    'EVSE-DIN 18': ('evse_din', {}),
    'EVSE-DIN 17, 0.01 A': ('evse_din', {'board': {'firmware': 17}, 'fine_steps': True}),
    'EVSE-DIN 15': ('evse_din', {'board': {'firmware': 15}}),
    'EVSE-DIN 15, silent': ('evse_din', {'board': {'firmware': 15, 'silent_refusals': True}}),
    'OpenEVSE 8.2.3': ('openevse', {}),
    'EV-CC-AC1-M3': ('phoenix_ev_ser', {}),
    'EM-CP-PP-ETH': ('phoenix_em_eth', {}),
    'EM-CP-PP-ETH, few': ('phoenix_em_eth', {'board': {'sparse': True}}),
}
"""Name: driver, and what of BoardOnClock; older firmware has rows of its own."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path)
    arguments = parser.parse_args()
    flat: dict[str, float] = {}
    for name, (driver, options) in BOARDS.items():
        for case in CASES:
            found = facts(case, BoardOnClock(driver, **options))
            print(f'{name:20} | {case:24} | '
                  + ', '.join(f'{what} {value}' for what, value in found.items()))
            flat |= {f'boards.{name}.{case}.{what}': float(value) for what, value in found.items()
                     if isinstance(value, int | float)}
    if arguments.json:
        arguments.json.write_text(json.dumps(flat, indent=2) + '\n')


if __name__ == '__main__':
    main()
