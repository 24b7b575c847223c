"""Numbers and ranges that all blocks share."""

from __future__ import annotations

import math

MIN_AMPERAGE = 6.0
"""A, the least a control pilot can offer (domain.md 1.1)."""
MAX_AMPERAGE = 80.0
"""A, the most a control pilot can offer (domain.md 1.1)."""
FOREVER = 2.0**31 - 1.0
"""s, the longest duration a message can carry: "does not expire"."""
Phases = tuple[float, float, float]
"""One value for each of L1, L2, L3."""
NAN = math.nan
UNKNOWN_PHASES: Phases = (NAN, NAN, NAN)
