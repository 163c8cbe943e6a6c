"""Forgetting a user: everything of theirs, everywhere that Rehear keeps anything."""

from collections.abc import Callable

from sqlalchemy import Engine

from rewriting.table.rewrite_table import RewriteTable
from services.privacy.user_data import USER_DATA
from streams.stores.session_store import lock_sessions, user_session_ids
from streams.turn import AssistantId, UserId

ACTOR = "forget-user"


def forget_user(
    engine: Engine, clock_ms: Callable[[], int], assistant_id: AssistantId, user_id: UserId
) -> int:
    """Deletes what there is of a user: sessions, what was learned and said of them, feedback, own rewrites.

    The chain is to be rebuilt after that: the worker that has it does so when it next looks, or
    `ChainLearner.refresh`; global rewrites that have too few users without this one are then withdrawn. So
    are statistics and rows of the request index, by `RequestLearner.refresh`; the index worker then replaces
    the base of the index by one without them. Candidates that came from rephrases are made anew by
    `RephraseLearner.refresh`, or by the rephrases worker. Published labels and failures are withdrawn from
    their topics by the labels and failures workers; until then the ids of their events are kept. What global
    rewrites say of failures is made anew here. Turns of others that carry what this user has said of them get
    back their own feedback when it is next settled: by the sessions worker, or by `rehear learn`. For the
    rewrites, what a rollback holds is released first: privacy goes before a rollback. Keys of the user's
    events remain, as hashes, so that a replay of the log does not bring them back. What Kafka's topics hold
    is Kafka's to delete.

    Returns:
        How many sessions were deleted.
    """
    table = RewriteTable(engine, clock_ms)
    if table.held_ids(assistant_id):
        table.release(assistant_id, "a user is forgotten", ACTOR)
    with engine.begin() as connection:
        lock_sessions(connection, alone=True)
        sessions = user_session_ids(connection, assistant_id, user_id)
        table.forget_user(connection, assistant_id, user_id)
        for data in USER_DATA:
            data.forget(connection, assistant_id, user_id, clock_ms())
    return len(sessions)
