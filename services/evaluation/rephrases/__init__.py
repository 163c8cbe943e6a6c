"""The evaluation of rephrase detection."""
