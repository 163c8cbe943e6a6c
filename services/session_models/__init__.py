"""Models that are asked about sessions: judging, storage, backfill, training, answers; imports `learners`."""
