"""Who decides what a vehicle gets, and why: the sentences of page, status and logs, made here only.

A table of all of them, state by owner: docs/words.md.
"""

from charger_control.core.words.faults import FAULTS, FaultWords, fault_sentence
from charger_control.core.words.sentence import (
    OWNERS,
    VEHICLE_STATES,
    owner_of,
    sentence,
    silence_sentence,
)

__all__ = ['FAULTS', 'OWNERS', 'VEHICLE_STATES', 'FaultWords', 'fault_sentence', 'owner_of',
           'sentence', 'silence_sentence']
