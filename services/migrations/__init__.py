"""Migrations of the database; `services.platform.database` runs them when it opens one."""
