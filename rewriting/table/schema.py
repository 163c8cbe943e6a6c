"""The tables in the database behind the rewrite table.

A row of `rewrites` is one state of one rewrite, from the version in which it came until the version in which
another took its place: the standing row, the history and every earlier version of the table are one and the
same data, so they cannot disagree. Evidence is JSON in its row, not a table of its own: it is only ever read
and written together with the row, and never searched. The same is true of the
wish for a held row.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table, Text, text

from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import METADATA

REWRITES = assistant_table(
    "rewrites",
    Column("rewrite_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # of the table, when this row came
    Column("until_version", Integer),  # of the table, when another row took its place; null: it stands
    Column("scope", Text, nullable=False),
    Column("source_text", Text, nullable=False),
    Column("source_interpretation", Text),
    Column("target_text", Text, nullable=False),
    Column("target_interpretation", Text),
    Column("method", Text, nullable=False),
    Column("max_confidence", Double),
    Column("max_asr_confidence", Double),  # null: as `max_confidence`
    Column("max_nlu_confidence", Double),  # null: as `max_confidence`
    Column("score", Double, nullable=False),
    Column("sessions", Integer, nullable=False),
    Column("users", Integer, nullable=False),
    Column("source_success_rate", Double, nullable=False),
    Column("source_count", Integer, nullable=False),
    Column("target_success_rate", Double, nullable=False),
    Column("target_count", Integer, nullable=False),
    Column("failure_point", Text),
    Column("evidence", Text, nullable=False),  # JSON: ids of sessions
    Column("status", Text, nullable=False),
    Column("wished_status", Text, nullable=False),  # what the learner wants it to be; differs where blocked
    Column("changed_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("turn_kind", Text, nullable=False),
)

_STANDS = text("until_version IS NULL")
_PERSONAL = text("scope <> 'global'")
PLACED = text("(locale <> '' OR turn_kind <> 'any')")
"""Whether a row holds in one locale or for one kind of turn alone; in this form, an index has such rows."""

Index(
    "ix_rewrites_standing",  # at most one row of a rewrite stands
    REWRITES.c.assistant_id,
    REWRITES.c.rewrite_id,
    unique=True,
    sqlite_where=_STANDS,
    postgresql_where=_STANDS,
)
Index("ix_rewrites_changes", REWRITES.c.assistant_id, REWRITES.c.version)
Index(
    "ix_rewrites_personal",
    REWRITES.c.assistant_id,
    REWRITES.c.scope,
    sqlite_where=_PERSONAL,
    postgresql_where=_PERSONAL,
)

Index(
    "ix_rewrites_placed",
    REWRITES.c.assistant_id,
    REWRITES.c.locale,
    REWRITES.c.turn_kind,
    sqlite_where=PLACED,
    postgresql_where=PLACED,
)

REWRITE_TABLES = assistant_table(  # the newest version, and the lock of the writers
    "rewrite_tables",
    Column("version", Integer, nullable=False),
)

REWRITE_TABLE_VERSIONS = assistant_table(  # what each version was made for
    "rewrite_table_versions",
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("changes", Integer, nullable=False),  # rewrites that changed
)

REWRITE_BLOCKS = assistant_table(  # pairs of source and target that must not go live
    "rewrite_blocks",
    Column("rewrite_id", Text, primary_key=True),  # stands for scope, source, question and place
    Column("target_digest", Text, primary_key=True),  # a text can be too long for an index
    Column("target_text", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("blocked_ms", BigInteger, nullable=False),
    Column("by_rollback", Boolean, nullable=False),  # else somebody asked for it
)

REWRITE_HOLDS = assistant_table(  # rewrites that a rollback keeps live, whatever the learner wishes
    "rewrite_holds",
    Column("rewrite_id", Text, primary_key=True),
    Column("wish", Text, nullable=False),  # JSON: the rewrite as the learner wants it
)

FORGOTTEN_REWRITES = assistant_table(  # rewrites that were deleted with their user: no text, no user
    "forgotten_rewrites",
    Column("rewrite_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),  # of the table, when it was deleted
)

PUBLICATION_MARKS = Table(  # how much of each table a topic has
    "publication_marks",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("assistant_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
)

ROW_VERDICTS = assistant_table(  # what the ranker has said of rows: no word, and of users a hash
    "row_verdicts",
    Column("rewrite_id", Text, primary_key=True),
    Column("user_key", BigInteger, primary_key=True, autoincrement=False),  # `EVERYBODY`, or one user's
    Column("ranker", Text, nullable=False),  # name of the artifact that was in use
    Column("target_digest", String(16), nullable=False),
    Column("accepted", Integer, nullable=False),  # bits by confidence band
    Column("rejected", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # of the assistant's verdicts, at the last change
)
Index("ix_row_verdicts_revision", ROW_VERDICTS.c.assistant_id, ROW_VERDICTS.c.revision)
Index("ix_row_verdicts_user_key", ROW_VERDICTS.c.user_key)

ROW_VERDICT_REVISIONS = assistant_table(  # how often the verdicts of an assistant have changed
    "row_verdict_revisions",
    Column("revision", Integer, nullable=False),
    Column("whole_revision", Integer, nullable=False),  # when some were last taken away: read all anew
)
