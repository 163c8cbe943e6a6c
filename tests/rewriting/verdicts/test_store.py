"""Verdicts on rows in the database."""

import rewrites
from rewrites import rewrite_row
from sqlalchemy import Engine

from labeling.models.in_use import drop_model, set_models
from rewriting.table.rewrite import Rewrite, RewriteId, user_scope
from rewriting.table.rewrite_table import RewriteTable
from rewriting.verdicts.row_verdicts import EVERYBODY, RowVerdict, VerdictKey, target_digest
from rewriting.verdicts.store import (
    VerdictRevision,
    add_verdicts,
    clear_verdicts,
    forget_user_verdicts,
    replace_verdicts,
    verdict_revisions,
    verdicts_since,
)
from streams.stores.database_schema import reading
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
ANN, BOB = UserId("ann"), UserId("bob")
JAZZ = rewrite_row("pley jazz", "play jazz")
OWN = rewrite_row("pley it", "play my mix", scope=user_scope(ANN))


def put(engine: Engine, *rows: Rewrite) -> None:
    rewrites.put(RewriteTable(engine, lambda: 1), engine, rows)


def use_ranker(engine: Engine, name: str = "ranker-1") -> None:
    with engine.begin() as connection:
        set_models(connection, HOME, {"ranker": name}, 1)


def of(row: Rewrite, user: UserId | None = None) -> VerdictKey:
    return VerdictKey(row.rewrite_id, EVERYBODY if user is None else user_key(HOME, user))


def said(row: Rewrite, accepted: int = 0, rejected: int = 0) -> RowVerdict:
    return RowVerdict(target_digest(row.target_text), accepted, rejected)


def judge(engine: Engine, verdicts: dict[VerdictKey, RowVerdict], ranker: str = "ranker-1") -> None:
    with engine.begin() as connection:
        replace_verdicts(connection, HOME, ranker, verdicts)


def add(engine: Engine, verdicts: dict[VerdictKey, RowVerdict]) -> None:
    with engine.begin() as connection:
        add_verdicts(connection, HOME, verdicts, revision(engine).whole_revision)


def revision(engine: Engine) -> VerdictRevision:
    with reading(engine) as connection:
        return verdict_revisions(connection)[HOME]


def held(engine: Engine, since: int = -1) -> dict[VerdictKey, RowVerdict]:
    with reading(engine) as connection:
        return verdicts_since(connection, HOME, since)


def test_a_ranker_in_use_is_known_before_it_has_said_anything_and_until_it_is_dropped(engine: Engine) -> None:
    with reading(engine) as connection:
        assert verdict_revisions(connection) == {}
    use_ranker(engine)
    assert revision(engine) == VerdictRevision(0, 0)
    with engine.begin() as connection:
        drop_model(connection, HOME, "ranker")
        assert verdict_revisions(connection) == {}


def test_what_requests_add_is_joined_and_read_from_where_a_reader_was(engine: Engine) -> None:
    put(engine, JAZZ)
    use_ranker(engine)
    judge(engine, {of(JAZZ): said(JAZZ, accepted=1)})
    before = revision(engine)
    add(engine, {of(JAZZ): said(JAZZ, rejected=2), of(JAZZ, ANN): said(JAZZ, accepted=4)})
    assert held(engine) == {of(JAZZ): said(JAZZ, 1, 2), of(JAZZ, ANN): said(JAZZ, 4)}
    assert held(engine, before.revision) == held(engine)
    after = revision(engine)
    assert (after.revision, after.whole_revision) == (before.revision + 1, before.whole_revision)
    add(engine, {of(JAZZ): said(JAZZ, rejected=2)})  # again
    assert revision(engine) == after
    assert held(engine, after.revision) == {}


def test_what_is_of_another_target_or_of_no_row_is_not_added(engine: Engine) -> None:
    put(engine, JAZZ)
    use_ranker(engine)
    other = rewrite_row("pley jazz", "play blues")
    add(engine, {of(JAZZ): said(other, rejected=1), VerdictKey(RewriteId("gone"), EVERYBODY): said(JAZZ, 1)})
    assert held(engine) == {}


def test_without_a_ranker_nothing_is_added(engine: Engine) -> None:
    put(engine, JAZZ)
    with engine.begin() as connection:
        add_verdicts(connection, HOME, {of(JAZZ): said(JAZZ, rejected=1)}, 0)
    assert held(engine) == {}


def test_learning_again_keeps_what_the_same_ranker_has_said_and_another_judges_anew(engine: Engine) -> None:
    put(engine, JAZZ, OWN)
    use_ranker(engine)
    log = {of(JAZZ): said(JAZZ, accepted=1), of(OWN): said(OWN, accepted=1)}
    judge(engine, log)
    add(engine, {of(JAZZ): said(JAZZ, rejected=1)})
    before = held(engine), revision(engine)
    judge(engine, log)
    assert (held(engine), revision(engine)) == before
    use_ranker(engine, "ranker-2")
    judge(engine, log, "ranker-2")
    assert held(engine) == log
    assert revision(engine).whole_revision > before[1].revision


def test_the_verdicts_on_a_former_target_go(engine: Engine) -> None:
    put(engine, JAZZ)
    use_ranker(engine)
    judge(engine, {of(JAZZ): said(JAZZ, accepted=1)})
    put(engine, rewrite_row("pley jazz", "play blues"))
    judge(engine, {})
    assert held(engine) == {}


def test_a_forgotten_user_leaves_nothing_and_nothing_of_theirs_comes_back(engine: Engine) -> None:
    put(engine, JAZZ, OWN)
    use_ranker(engine)
    judge(engine, {of(JAZZ): said(JAZZ, accepted=1), of(OWN): said(OWN, accepted=1)})
    add(engine, {of(JAZZ, user): said(JAZZ, accepted=2) for user in (ANN, BOB)})
    known = revision(engine).whole_revision
    with engine.begin() as connection:
        forget_user_verdicts(connection, HOME, ANN)
        RewriteTable(engine, lambda: 1).forget_user(connection, HOME, ANN)
    assert set(held(engine)) == {of(JAZZ), of(JAZZ, BOB)}
    late = {of(JAZZ, ANN): said(JAZZ, accepted=2), of(JAZZ): said(JAZZ, rejected=4)}
    with engine.begin() as connection:
        add_verdicts(connection, HOME, late, known)
    assert held(engine) == {of(JAZZ): said(JAZZ, 1, 4), of(JAZZ, BOB): said(JAZZ, 2)}


def test_all_is_taken_away_where_no_ranker_decides(engine: Engine) -> None:
    put(engine, JAZZ)
    use_ranker(engine)
    judge(engine, {of(JAZZ): said(JAZZ, accepted=1)})
    with engine.begin() as connection:
        clear_verdicts(connection, HOME)
    assert held(engine) == {}
