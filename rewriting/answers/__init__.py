"""Rows mined from what users answer to a question; imports `chains` and what that imports."""
