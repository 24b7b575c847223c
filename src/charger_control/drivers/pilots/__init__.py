"""Control-pilot boards, a folder each."""
