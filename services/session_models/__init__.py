"""Models that are asked about sessions: judging, backfill, training, answers; imports `learners`."""
