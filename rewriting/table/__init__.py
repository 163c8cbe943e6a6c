"""The rewrite table: rows, versions, lookup, publication; imports no other room."""
