"""Online rewriting: candidates, features, ranker, gates, decision; imports no room that mines rows."""
