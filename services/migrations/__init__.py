"""Migrations of the database; `services.database` runs them when it opens one."""
