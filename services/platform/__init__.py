"""The database, the clock and the log output, which everything in services may import."""
