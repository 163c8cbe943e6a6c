"""What the ranker has said of rows of the table; imports `table`."""
