"""Tables of streams: sessions, turns, notices and offsets; imports nothing of Rehear outside `streams`."""
