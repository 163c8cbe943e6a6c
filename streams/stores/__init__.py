"""Tables of sessions, turns, steps, notices and offsets; imports nothing of Rehear outside `streams`."""
