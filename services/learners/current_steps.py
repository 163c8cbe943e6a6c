"""Current steps: the stored sessions of a chain, those of an earlier form reduced anew from their turns."""

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from rewriting.chains.step import STEPS_FORM, SessionSteps, session_steps
from rewriting.chains.store import CHAIN_STORE
from rewriting.evidence_settings import EvidenceSettings
from services.learners.stored_evidence import stored_evidence
from streams.session import SessionId
from streams.stores.database_schema import chunks
from streams.stores.session_store import read_sessions
from streams.turn import AssistantId


def current_steps(
    connection: Connection,
    assistant_id: AssistantId,
    evidence: EvidenceSettings,
    keep: Callable[[Sequence[SessionSteps]], object] = lambda renewed: None,
) -> Iterator[SessionSteps]:
    """All sessions of an assistant's chain, in the form of today.

    Steps whose session is no more stay as they are.

    Args:
        connection: to the database; what `keep` does to the sessions may be done on it.
        assistant_id: whose.
        evidence: what the chain goes by beside the turns.
        keep: is given those that were reduced anew, some thousands at a time.
    """
    earlier: list[SessionId] = []
    for steps in CHAIN_STORE.all(connection, assistant_id):
        if steps.form == STEPS_FORM:
            yield steps
        else:
            earlier.append(steps.session_id)
    for ids in chunks(earlier):
        sessions = read_sessions(connection, assistant_id, ids)
        said = stored_evidence(connection, sessions, evidence)
        renewed = [session_steps(session, said[session.session_id]) for session in sessions]
        keep(renewed)
        yield from renewed
        without_session = set(ids).difference(session.session_id for session in sessions)
        yield from CHAIN_STORE.of(connection, without_session).values()
