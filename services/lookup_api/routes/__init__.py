"""Routes of the lookup API, and the messages that they read and write."""
