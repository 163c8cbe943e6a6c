"""What keeps tables, statistics and indexes up with sessions, for tasks and jobs; imports no task."""
