"""The request index: vectors, storage, following; imports no other room."""
