"""Jobs over whole logs: learning from files, training of online models, replays; imports no task."""
