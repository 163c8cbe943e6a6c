"""The routes of the lookup API, with what only they use."""
