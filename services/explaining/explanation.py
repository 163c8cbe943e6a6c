"""Why a rewrite is there: the sessions behind it, and a picture of its chain."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from labeling.text.normalisation import normalise
from labeling.text.outcome import judge_turns
from labeling.text.question import question_before
from labeling.text.rewritten_request import is_rewritten
from rewriting.chains.graph import chain_graph
from rewriting.chains.store import CHAIN_STORE
from rewriting.evidence.rephrase_link import RephraseLink, resolve
from rewriting.rephrases.store import links_of
from rewriting.table.rewrite import Rewrite
from services.explaining.chain_picture import draw_chain
from streams.session import Session
from streams.stores.database_schema import reading
from streams.stores.session_store import read_sessions
from streams.turn import TurnEvent


def explanation(engine: Engine, rewrite: Rewrite, max_sessions: int) -> Iterator[str]:
    """Lines that tell some of the sessions behind a rewrite: what was said, and how it was judged.

    Of a rewrite that holds after one question, only what was said to that, and the response. Of one that came
    from detected rephrases, what was said with the next try of each request, and how likely it is one. Where
    something else was run than what was said, both stand there.
    """
    with reading(engine) as connection:
        sessions = read_sessions(connection, rewrite.assistant_id, rewrite.evidence)
        links = links_of(connection, sessions)
    sessions.sort(key=lambda session: _tells_less(session, rewrite))
    for session in sessions[:max_sessions]:
        day = datetime.fromtimestamp(session.start_ms / 1000, UTC)
        yield f"session {session.session_id}, {day:%Y-%m-%d %H:%M} UTC"
        if rewrite.method == "rephrase":
            yield from _tries(session, links.get(session.session_id, ()))
            continue
        previous = (None, *session.turns)
        for before, turn, outcome in zip(previous, session.turns, judge_turns(session.turns), strict=False):
            if not rewrite.question:
                yield f"    {_both(turn)}: {outcome.reason}"
            elif (question := question_before(turn, before)) == rewrite.question:
                if normalise(turn.request.text) == rewrite.source_text:
                    told = None if turn.response is None else turn.response.text
                    yield f"    {question}? {_both(turn)}: {outcome.reason}; response: {told!r}"


def _tries(session: Session, links: Iterable[RephraseLink]) -> Iterator[str]:
    """Lines that tell what was said, and what was said instead."""
    next_try = {link.source: link for link in resolve(links)}
    for position, turn in enumerate(session.turns):
        link = next_try.get(position)
        if link is None:
            yield f"    {_both(turn)}"
        else:
            target = _both(session.turns[link.target])
            yield f"    {_both(turn)}: tried again as {target}, likelihood {link.score:.2f}"


def _both(turn: TurnEvent) -> str:
    """What was said and, where that is something else, what was run."""
    said = repr(turn.request.text)
    return f"{said} → run as {turn.executed!r}" if is_rewritten(turn) else said


def _tells_less(session: Session, rewrite: Rewrite) -> tuple[bool, int]:
    """Orders sessions so that the shortest that ends with the target comes first."""
    ends_with_target = normalise(session.turns[-1].request.text) == normalise(rewrite.target_text)
    return not ends_with_target, len(session.turns)


def draw_rewrite(engine: Engine, rewrite: Rewrite, path: Path) -> None:
    """Draws the chain around a rewrite, as .svg or .png.

    Raises:
        ChainPictureError: another kind of file.
    """
    with reading(engine) as connection:
        graph = chain_graph(CHAIN_STORE.all(connection, rewrite.assistant_id), rewrite)
    draw_chain(graph, path, f"{rewrite.source_text}  →  {rewrite.target_text}")
