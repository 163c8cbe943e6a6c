"""Encoders of requests, their training and export; imports no other room."""
