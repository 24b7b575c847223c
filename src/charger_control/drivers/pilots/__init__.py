"""Control-pilot boards, one file per protocol family."""
