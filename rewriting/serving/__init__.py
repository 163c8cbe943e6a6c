"""Which requests are rewritten as they could be: arms, the hold-out and the off switch; imports `table`."""
