"""The fuzzer of bench/, for a few seconds: nothing crashes, hangs, or is accepted that is wrong."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / 'bench'))
import serial_fuzz_boards as fuzz


@pytest.mark.parametrize('protocol', fuzz.PROTOCOLS)
def test_no_crash_no_hang_no_wrong_value_and_every_rejection_counted(protocol):
    outcome = fuzz.PROTOCOLS[protocol](3000)
    assert outcome.frames == 3000
    assert (outcome.crashes, outcome.hangs, outcome.wrong, outcome.uncounted) == (0, 0, 0, 0)
    assert outcome.accepted > 200, 'good frames are accepted, or nothing was tried'
    assert protocol == 'decoders' or sum(outcome.rejected.values()) > 1500
