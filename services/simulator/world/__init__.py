"""The simulated assistant, its catalogue and its users."""
