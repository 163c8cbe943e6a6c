"""What a worker does with a batch of records; imports `learners` and `session_models`."""
