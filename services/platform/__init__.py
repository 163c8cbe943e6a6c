"""Database, clock, log output and settings of the API, which everything in services may import."""
