"""The label model as a session model; imports no other kind."""
