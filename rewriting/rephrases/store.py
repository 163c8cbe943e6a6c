"""The rephrase store: what detectors have found in every session that they have judged.

Of each session the links and the pairs that they make. Links hold for the very turns that were judged: where
a session was revised, `links_of` passes over what is stored of it until it is judged again.
"""

from collections.abc import Collection, Iterable

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.pair import RephrasePair
from rewriting.table.rewrite import GLOBAL, RewriteId, rewrite_id
from streams.session import Session, SessionId
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.stores.session_store import is_of_user, user_key
from streams.stores.turn_store import OUTDATED
from streams.turn import AssistantId, UserId

LEAST_SCORE = 0.05
"""Links below are not kept. Raised, less room; from 1/16 on, the outcomes made of links would change."""

SCORE_DIGITS = 4
"""Decimals of a score that are kept; more would differ with what a session is judged together with."""

REPHRASE_SESSION = Table(
    "rephrase_session",
    METADATA,
    Column("session_id", String(24), primary_key=True),
    Column("assistant_id", Text, nullable=False, index=True),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("model", Text, nullable=False),  # name of the detector
    Column("turns_key", BigInteger, nullable=False),  # hash of the events that were judged
    Column("links", LargeBinary, nullable=False),  # list of RephraseLink as MessagePack
)

REPHRASE_PAIR = Table(
    "rephrase_pair",
    METADATA,
    Column("session_id", String(24), primary_key=True),
    Column("source_position", Integer, primary_key=True, autoincrement=False),
    Column("target_position", Integer, nullable=False),
    Column("assistant_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("rewrite_id", String(24), nullable=False),  # of the candidate of its source text
    Column("pair", LargeBinary, nullable=False),  # RephrasePair as MessagePack
)
Index("ix_rephrase_pair_assistant_id_rewrite_id", REPHRASE_PAIR.c.assistant_id, REPHRASE_PAIR.c.rewrite_id)

STALE_CANDIDATE = Table(
    "stale_candidate",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("rewrite_id", String(24), primary_key=True),
)
"""Candidates whose pairs have changed since they were made."""

_LINKS = msgspec.msgpack.Decoder(tuple[RephraseLink, ...])
_PAIR = msgspec.msgpack.Decoder(RephrasePair)
_ENCODER = msgspec.msgpack.Encoder()


class SessionLinks(Struct, frozen=True):
    """What a detector has found in one session."""

    session_id: SessionId
    assistant_id: AssistantId
    user_id: UserId
    model: str
    turns_key: int
    links: tuple[RephraseLink, ...]  # sorted by source and target


class StoredLinks(Struct, frozen=True):
    """What is stored of one session."""

    model: str
    turns_key: int
    links: tuple[RephraseLink, ...]


def found_links(session: Session, model: str, links: Iterable[RephraseLink]) -> SessionLinks:
    """What is to be kept of the links that a detector has found in a session."""
    rounded = (
        RephraseLink(link.source, link.target, round(float(link.score), SCORE_DIGITS)) for link in links
    )
    kept = sorted(
        (link for link in rounded if link.score >= LEAST_SCORE), key=lambda link: (link.source, link.target)
    )
    return SessionLinks(
        session.session_id, session.assistant_id, session.user_id, model, session.turns_key, tuple(kept)
    )


def candidate_id(assistant_id: AssistantId, source_text: str) -> RewriteId:
    """The id of the candidate that the pairs of a source text make."""
    return rewrite_id(assistant_id, GLOBAL, source_text, method="rephrase")


def stored_links(connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, StoredLinks]:
    """What is stored of some sessions, whatever turns they had then."""
    rows = REPHRASE_SESSION.c
    query = select(rows.session_id, rows.model, rows.turns_key, rows.links)
    named = is_among(connection, rows.session_id, list(session_ids))
    return {
        SessionId(key): StoredLinks(model, turns, _LINKS.decode(links))
        for key, model, turns, links in connection.execute(query.where(named))
    }


def known_links(connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, tuple[str, int]]:
    """By which detector sessions were judged, and with which turns."""
    return {
        key: (stored.model, stored.turns_key) for key, stored in stored_links(connection, session_ids).items()
    }


def links_of(
    connection: Connection, sessions: Iterable[Session]
) -> dict[SessionId, tuple[RephraseLink, ...]]:
    """The links of sessions as they are; without those that no detector has judged so."""
    by_id = {session.session_id: session for session in sessions if len(session.turns) > 1}
    return {
        key: stored.links
        for key, stored in stored_links(connection, by_id).items()
        if stored.turns_key == by_id[key].turns_key
    }


def store_links(connection: Connection, found: Iterable[SessionLinks]) -> None:
    """Stores what was found in sessions, each in the place of what is stored of it."""
    rows = [
        {
            "session_id": session.session_id,
            "assistant_id": session.assistant_id,
            "user_key": user_key(session.assistant_id, session.user_id),
            "model": session.model,
            "turns_key": session.turns_key,
            "links": _ENCODER.encode(session.links),
        }
        for session in found
    ]
    upsert(connection, REPHRASE_SESSION, rows)


def store_pairs(
    connection: Connection,
    assistant_id: AssistantId,
    session_ids: Collection[SessionId],
    pairs: Iterable[RephrasePair],
) -> set[RewriteId]:
    """Stores the pairs of sessions in the place of those that are stored; gives the candidates they touch.

    Args:
        connection: in a transaction that writes.
        assistant_id: of the sessions.
        session_ids: of all sessions, those without pairs too.
        pairs: of these sessions.
    """
    before = {(pair.session_id, pair.source): pair for pair in _pairs(connection, session_ids)}
    after = {(pair.session_id, pair.source): pair for pair in pairs}
    if before == after:
        return set()
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    of_changed = {session_id for session_id, _ in changed}
    connection.execute(
        delete(REPHRASE_PAIR).where(is_among(connection, REPHRASE_PAIR.c.session_id, of_changed))
    )
    rows = [
        {
            "session_id": pair.session_id,
            "source_position": pair.source,
            "target_position": pair.target,
            "assistant_id": assistant_id,
            "user_key": user_key(assistant_id, pair.user_id),
            "rewrite_id": candidate_id(assistant_id, pair.source_text),
            "pair": _ENCODER.encode(pair),
        }
        for pair in after.values()
        if pair.session_id in of_changed
    ]
    upsert(connection, REPHRASE_PAIR, rows)
    texts = {pairs[key].source_text for key in changed for pairs in (before, after) if key in pairs}
    return {candidate_id(assistant_id, text) for text in texts}


def pairs_of_candidates(
    connection: Connection, assistant_id: AssistantId, candidates: Iterable[RewriteId]
) -> dict[RewriteId, list[RephrasePair]]:
    """The pairs of all sessions that make these candidates; without those of which there are none."""
    rows = REPHRASE_PAIR.c
    found: dict[RewriteId, list[RephrasePair]] = {}
    query = select(rows.rewrite_id, rows.pair).where(
        rows.assistant_id == assistant_id, is_among(connection, rows.rewrite_id, list(candidates))
    )
    for key, pair in connection.execute(query):
        found.setdefault(RewriteId(key), []).append(_PAIR.decode(pair))
    return found


def all_candidates(connection: Connection, assistant_id: AssistantId) -> set[RewriteId]:
    """The ids of all candidates that have a pair."""
    rows = REPHRASE_PAIR.c
    ids = connection.scalars(select(rows.rewrite_id).where(rows.assistant_id == assistant_id).distinct())
    return {RewriteId(key) for key in ids}


def drop_sessions(connection: Connection, session_ids: Collection[SessionId]) -> None:
    """Drops all that is stored of sessions; their candidates are stale until they are made anew."""
    ids = list(session_ids)
    _mark_stale(connection, is_among(connection, REPHRASE_PAIR.c.session_id, ids))
    for table in (REPHRASE_SESSION, REPHRASE_PAIR):
        connection.execute(delete(table).where(is_among(connection, table.c.session_id, ids)))


def outdate_links(connection: Connection, session_ids: Collection[SessionId]) -> None:
    """Has sessions judged again though they have the turns that were judged: these say something else."""
    named = is_among(connection, REPHRASE_SESSION.c.session_id, list(session_ids))
    connection.execute(update(REPHRASE_SESSION).where(named).values(model=OUTDATED))


def forget_user_rephrases(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Drops all that was found in a user's sessions; their candidates are stale until they are made anew."""
    _mark_stale(connection, is_of_user(REPHRASE_PAIR, assistant_id, user_id))
    for table in (REPHRASE_SESSION, REPHRASE_PAIR):
        connection.execute(delete(table).where(is_of_user(table, assistant_id, user_id)))


def stale_candidates(connection: Connection) -> dict[AssistantId, set[RewriteId]]:
    """The candidates that are to be made anew, by assistant."""
    found: dict[AssistantId, set[RewriteId]] = {}
    for assistant_id, key in connection.execute(select(STALE_CANDIDATE)):
        found.setdefault(AssistantId(assistant_id), set()).add(RewriteId(key))
    return found


def mark_fresh(connection: Connection, assistant_id: AssistantId, candidates: Collection[RewriteId]) -> None:
    """Says that these candidates are what their pairs make."""
    rows = STALE_CANDIDATE.c
    made = is_among(connection, rows.rewrite_id, list(candidates))
    connection.execute(delete(STALE_CANDIDATE).where(rows.assistant_id == assistant_id, made))


def rephrase_counts(connection: Connection, assistant_id: AssistantId) -> tuple[int, int]:
    """How many sessions were judged, and how many pairs they hold."""
    tables = REPHRASE_SESSION, REPHRASE_PAIR
    sessions, pairs = (
        int(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.assistant_id == assistant_id)
            ).scalar_one()
        )
        for table in tables
    )
    return sessions, pairs


def _pairs(connection: Connection, session_ids: Collection[SessionId]) -> list[RephrasePair]:
    named = is_among(connection, REPHRASE_PAIR.c.session_id, list(session_ids))
    return [_PAIR.decode(pair) for pair in connection.scalars(select(REPHRASE_PAIR.c.pair).where(named))]


def _mark_stale(connection: Connection, of_pairs: ColumnElement[bool]) -> None:
    pairs = select(REPHRASE_PAIR.c.assistant_id, REPHRASE_PAIR.c.rewrite_id).where(of_pairs)
    rows = {(assistant_id, key) for assistant_id, key in connection.execute(pairs)}
    upsert(
        connection,
        STALE_CANDIDATE,
        [{"assistant_id": assistant_id, "rewrite_id": key} for assistant_id, key in sorted(rows)],
        update=(),
    )
