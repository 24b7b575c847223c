"""What a misspelt name may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """' Did you mean X?' for the known name that is like ``name``; '' if none is."""
    found = difflib.get_close_matches(str(name), list(known), 1)
    return f' Did you mean {found[0]}?' if found else ''
