"""Absorbing Markov chains over requests, and the rows mined from them; imports `table` and `evidence`."""
