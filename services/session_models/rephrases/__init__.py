"""The rephrase detector as a session model; imports no other kind."""
