"""What a turn says by itself: normalised text, questions, outcomes; imports no other room."""
