"""A database from before notices had tasks: what waited goes on waiting, for the right task."""

from earlier_schema import without_tasks_of_notices
from letter_detector import NAME, letter_log
from sqlalchemy import text
from streaming import store_log

from rewriting.rephrases.store import found_links, known_links, store_links
from services.platform.database import open_database
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.stores.session_notice import noted_sessions


def test_waiting_sessions_go_on_waiting(database_location: str) -> None:
    engine = open_database(database_location)
    log = letter_log("a")
    store_log(engine, log)
    sessions = sessionize(log)
    with engine.begin() as connection:
        store_links(connection, [found_links(session, NAME, []) for session in sessions])
        without_tasks_of_notices(connection)
        connection.execute(
            text(
                "UPDATE rephrase_session SET announced = false, source_partition = 1 WHERE session_id = :id"
            ),
            {"id": sessions[0].session_id},
        )
        connection.execute(
            text("INSERT INTO session_notice VALUES (:id, 'letters', 7, 0)"), {"id": sessions[1].session_id}
        )
    engine.dispose()

    opened = open_database(database_location)
    with reading(opened) as connection:
        left_to = {
            task: [item.session_id for item in noted_sessions(connection, task, [0, 1])]
            for task in ("rephrases", "labels")
        }
        assert known_links(connection, [session.session_id for session in sessions]).keys() == {
            session.session_id for session in sessions
        }
        assert [item.session_id for item in noted_sessions(connection, "rephrases", [1])] == [
            sessions[0].session_id
        ]
    opened.dispose()
    assert left_to == {"rephrases": [sessions[0].session_id], "labels": [sessions[1].session_id]}
