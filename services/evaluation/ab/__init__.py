"""A/B tests: what the arms of an experiment show, from a log of turns that say in which arm they were."""
