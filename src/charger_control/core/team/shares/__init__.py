"""How a budget is shared: who is let in, and how much each gets."""
