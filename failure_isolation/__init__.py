"""Which stage of an assistant failed first, and was not made good: for each turn of a log."""
