"""Forgetting users."""
