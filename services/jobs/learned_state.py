"""What a state knows of its assistants where no rewrite table tells: who there is, and what was read."""

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, select

from rewriting.table.rewrite_table import RewriteTable
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import SESSION
from streams.turn import AssistantId

_NOT_WITHDRAWN = SESSION.c.turns != b"[]"


class ReadSessions(Struct, frozen=True):
    """How much of an assistant's log was read, and not forgotten since."""

    sessions: int
    users: int


def known_assistants(engine: Engine, table: RewriteTable) -> list[AssistantId]:
    """The assistants that have a table, or of which sessions were read; sorted."""
    versions = table.versions()
    without_rewrites = table.assistants_without_rewrites()
    with reading(engine) as connection:
        if not versions and not without_rewrites:  # sessions alone: rare, so that it may cost a scan
            ids = select(SESSION.c.assistant_id).where(_NOT_WITHDRAWN).distinct()
            return sorted(AssistantId(key) for key in connection.scalars(ids))
        read = [key for key in without_rewrites if _has_sessions(connection, key)]
    return sorted([*versions, *read])


def read_sessions_of(engine: Engine, assistant_id: AssistantId) -> ReadSessions:
    """The sessions of an assistant, counted."""
    counts = select(func.count(), func.count(SESSION.c.user_key.distinct())).where(
        SESSION.c.assistant_id == assistant_id, _NOT_WITHDRAWN
    )
    with reading(engine) as connection:
        sessions, users = connection.execute(counts).one()
    return ReadSessions(sessions, users)


def why_no_rewrites(assistant_id: AssistantId, read: ReadSessions, settings: Settings, learned: bool) -> str:
    """Sentences on why an assistant of which sessions were read has no table, and on what to do.

    Args:
        assistant_id: whose table.
        read: what was read.
        settings: what a rewrite must rest on.
        learned: whether the learner has looked at the sessions.
    """
    count = f"{read.sessions:,} sessions of {read.users:,} users were read"
    if not learned:
        return (
            f"{assistant_id}: {count}, and nothing was learned from them yet: `rehear learn` does, or the "
            "chains worker of `rehear up`"
        )
    chain = settings.chain
    return (
        f"{assistant_id}: nothing was learned: {count}, and no rewrite was found in them.\n"
        f"A rewrite needs evidence: {chain.min_users} users who came from one request to another by a second "
        f"try (min_users), {chain.min_text_users} who have said it (min_text_users), and "
        f"{chain.min_requests} requests with it (min_requests), all under [chain] in the settings; "
        "[answers] says the same of rewrites after a question.\n"
        "Read more of the log, or see docs/chains.md, Settings, for what these numbers protect from."
    )


def _has_sessions(connection: Connection, assistant_id: AssistantId) -> bool:
    any_of_them = select(SESSION.c.session_id).where(SESSION.c.assistant_id == assistant_id, _NOT_WITHDRAWN)
    return connection.execute(any_of_them.limit(1)).first() is not None
