"""Current steps: the stored sessions of a learner, those of an earlier form reduced anew from their turns."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.chains.step import STEPS_FORM, SessionSteps, session_steps
from rewriting.chains.store import CHAIN_STORE
from rewriting.evidence.session_evidence import SessionEvidence
from rewriting.evidence_settings import EvidenceSettings
from rewriting.requests import step as requests
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.step import SessionRequests
from services.learners.stored_evidence import stored_evidence
from streams.session import Session, SessionId
from streams.stores.database_schema import chunks
from streams.stores.session_store import read_sessions
from streams.stores.step_store import SteppedSession, StepStore
from streams.turn import AssistantId

S = TypeVar("S", bound=SteppedSession)


class StepForm(Struct, Generic[S], frozen=True):
    """What a learner makes of sessions today, and where it keeps that."""

    store: StepStore[S, Any]
    reduce: Callable[[Session, SessionEvidence], S]
    is_current: Callable[[S], bool]


CHAIN_FORM = StepForm(CHAIN_STORE, session_steps, lambda steps: steps.form == STEPS_FORM)
REQUEST_FORM = StepForm(
    REQUEST_STORE, requests.session_requests, lambda steps: steps.form == requests.STEPS_FORM
)


def current_steps(
    connection: Connection,
    assistant_id: AssistantId,
    evidence: EvidenceSettings,
    keep: Callable[[Sequence[SessionSteps]], object] = lambda renewed: None,
) -> Iterator[SessionSteps]:
    """All sessions of an assistant's chain, in the form of today; arguments as for `in_form`."""
    return in_form(CHAIN_FORM, connection, assistant_id, evidence, keep)


def current_requests(
    connection: Connection,
    assistant_id: AssistantId,
    evidence: EvidenceSettings,
    keep: Callable[[Sequence[SessionRequests]], object],
) -> Iterator[SessionRequests]:
    """All sessions of an assistant that online rewriting learns from; arguments as for `in_form`."""
    return in_form(REQUEST_FORM, connection, assistant_id, evidence, keep)


def in_form(
    form: StepForm[S],
    connection: Connection,
    assistant_id: AssistantId,
    evidence: EvidenceSettings,
    keep: Callable[[Sequence[S]], object],
) -> Iterator[S]:
    """All sessions of an assistant, in the form of today.

    Steps whose session is no more stay as they are.

    Args:
        form: of whose sessions.
        connection: to the database; what `keep` does to the sessions may be done on it.
        assistant_id: whose.
        evidence: what is gone by beside the turns.
        keep: is given those that were reduced anew, some thousands at a time.
    """
    earlier: list[SessionId] = []
    for steps in form.store.all(connection, assistant_id):
        if form.is_current(steps):
            yield steps
        else:
            earlier.append(steps.session_id)
    for ids in chunks(earlier):
        sessions = read_sessions(connection, assistant_id, ids)
        said = stored_evidence(connection, sessions, evidence)
        renewed = [form.reduce(session, said[session.session_id]) for session in sessions]
        if renewed:
            keep(renewed)
        yield from renewed
        without_session = set(ids).difference(session.session_id for session in sessions)
        yield from form.store.of(connection, without_session).values()
