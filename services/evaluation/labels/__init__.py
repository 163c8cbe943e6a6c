"""The evaluation of labels."""
