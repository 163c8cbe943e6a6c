"""Processes that run the tasks: workers, and the supervisor that starts them; imports `tasks`."""
