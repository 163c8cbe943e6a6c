"""Side by side: the same question to this checkout and to another one, and the ratio of the two answers."""
