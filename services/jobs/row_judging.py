"""Judging of table rows: what the ranker in use says of the requests of the log that the table has rows for.

It is done whenever a ranker or the table was learned, so that what the ranker would reject is known when it
cannot be asked. Each request is judged as it would be if it came now, but by the history that its user had
then: what came of it would tell the ranker the answer. Requests that were rewritten are passed over: the log
does not say what the assistant would have made of them.
"""

from collections.abc import Iterator, Sequence
from math import inf

import msgspec
import structlog
from rich.progress import Progress

from labeling.models.in_use import current_models
from labeling.text.normalisation import normalise
from rewriting.evidence.understanding_confidence import understanding_confidence
from rewriting.ranking.decision import is_settled, looked_up
from rewriting.ranking.examples import asked_step, with_ended
from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.history import RequestHistory
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.step import SessionRequests
from rewriting.table.lookup import LookupTable
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.occasion import Occasion, kind_of
from rewriting.verdicts.row_judging import JudgedRequest, row_verdicts
from rewriting.verdicts.row_verdicts import EVERYBODY
from rewriting.verdicts.store import clear_verdicts, replace_verdicts
from services.assistant_work import AssistantWork
from services.jobs.ranker_warm_up import warm_up_ends_ms
from services.learners.assistant_miners import candidate_guard_of
from services.lookup_api.followers.online import OnlineFollower, OnlineParts
from streams.stores.database_schema import reading
from streams.stores.session_store import user_key
from streams.turn import UserId

log = structlog.get_logger()


def judge_rows(work: AssistantWork) -> int:
    """Has the ranker of an assistant judge the rows of its table, and stores the verdicts.

    Where no ranker is in use there are no verdicts; where it cannot be loaded, those that there are stay.

    Returns:
        How many rows were judged.
    """
    engine, settings, assistant_id = work.engine, work.settings, work.assistant_id
    with reading(engine) as connection:
        ranker = current_models(connection, assistant_id).get("ranker")
        stored = REQUEST_STORE.all(connection, assistant_id) if ranker is not None else ()  # as much as a log
        sessions = [session for session in stored if session.steps]
    if ranker is None:
        with engine.begin() as connection:
            clear_verdicts(connection, assistant_id)
        return 0
    unhurried = msgspec.structs.replace(settings.online, budget_ms=inf)
    state = settings.state_folder
    follower = OnlineFollower(
        engine, state, unhurried, candidate_guard_of(settings), assistants=frozenset({assistant_id})
    )
    follower.look()
    parts = follower.parts.get(assistant_id)
    if parts is None or not sessions:
        return 0
    table = load_lookup_table(engine, assistant_id)
    from_ms = warm_up_ends_ms(sessions, settings.ranker)
    min_users = settings.online.candidates.min_users
    judged = row_verdicts(_judged(sessions, table, parts, from_ms, min_users, work.progress))
    with engine.begin() as connection:
        replace_verdicts(connection, assistant_id, ranker, judged)
    rows = sum(key.user_key == EVERYBODY for key in judged)
    log.info("table rows judged", assistant_id=assistant_id, rows=rows, verdicts=len(judged))
    return rows


def _judged(
    sessions: Sequence[SessionRequests],
    table: LookupTable,
    parts: OnlineParts,
    from_ms: int,
    min_users: int,
    progress: Progress | None,
) -> Iterator[JudgedRequest]:
    """The requests from `from_ms` on that the table has a row for which the ranker decides on."""
    counts = RequestCounts(min_users)
    for session in sessions:
        counts.add(session)
    statistics = SharedStatistics(counts)
    histories: dict[UserId, RequestHistory] = {}
    bar = progress.add_task("judging rows", total=len(sessions)) if progress else None
    for session, ended in with_ended(sessions):
        for past in ended:
            histories.setdefault(past.user_id, RequestHistory()).add(past)
        if progress and bar is not None:
            progress.advance(bar)
        if session.steps[0].ts_ms < from_ms:
            continue
        for i, step in enumerate(session.steps):
            if step.run:
                continue
            kind = kind_of(step.question, system_initiated=step.system_initiated)
            occasion = Occasion(question=step.question, locale=session.locale, turn_kind=kind)
            confidence = understanding_confidence(step.asr_confidence, step.nlu_confidence)
            known = looked_up(table, step.text, session.user_id, confidence, occasion)
            if known.rewrite is None or is_settled(known):
                continue
            history = histories.get(session.user_id) or RequestHistory()
            answer = parts.rewriter.answer(asked_step(session, i), statistics, history, parts.index)
            chosen = answer.rewrite
            accepted = answer.refused is not None or (
                chosen is not None and normalise(chosen.text) == normalise(known.rewrite.text)
            )
            key = user_key(session.assistant_id, session.user_id)
            yield JudgedRequest(known.rewrite, key, step.confidence, accepted)
