from collections import Counter

from sqlalchemy import Engine, inspect

from services.privacy.user_data import USER_DATA


def test_every_table_with_a_column_of_users_is_forgotten_from(engine: Engine) -> None:
    """Of the database as the migrations leave it, which knows of no module that was not imported."""
    tables = inspect(engine)
    of_users = {
        name
        for name in tables.get_table_names()
        if {column["name"] for column in tables.get_columns(name)} & {"user_id", "user_key"}
    }
    assert len(of_users) > 5
    assert Counter(table.name for data in USER_DATA for table in data.tables) == Counter(of_users)
