"""Rewrites: mined by absorbing Markov chains, kept in a versioned and guarded table."""
