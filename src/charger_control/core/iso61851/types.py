"""What the control pilot's board says, and what the block publishes."""

from __future__ import annotations

from dataclasses import dataclass

from charger_control.core.units import NAN


@dataclass(frozen=True, slots=True)
class PilotReading:
    """One answer of a CurrentPilot board.

    Attributes:
        letter: A B C D E F, or S for start-up or unknown, R for a failed diode check.
        signaled_amperage: A per phase that the board offers now, 0 for none.
        cable_amperage: A, rating of the cable; NaN: tethered, or the board does not know.
        contactor_commanded: what the board orders its contactor; None: it does not tell.
        contactor_closed: feedback of the contactor itself; None: there is none. An order is no
            feedback: a welded contactor does not follow it.
        temperature: degrees Celsius; NaN: no sensor.
        error: '' or what the board reports as wrong, in words.
        error_cause: '' or one of EvDisconnect, EvNotStopping, SignalledAmperageExceeded,
            CpShortCircuit, CpDiodeShortCircuit, VentilationNotAvailable, BoardFault.
        unsafe: the board is not what was configured (wrong unit, power-on current, firmware):
            it must not be given an offer.
    """

    letter: str
    signaled_amperage: float
    cable_amperage: float = NAN
    contactor_commanded: bool | None = None
    contactor_closed: bool | None = None
    temperature: float = NAN
    error: str = ''
    error_cause: str = ''
    unsafe: bool = False

    @property
    def switched_on(self) -> bool | None:
        """Whether the contactor is on as far as the board tells, by feedback or else its order."""
        return self.contactor_commanded if self.contactor_closed is None else self.contactor_closed
