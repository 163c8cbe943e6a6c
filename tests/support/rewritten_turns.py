"""Makes sessions in which some requests were rewritten: what is understood and answered is what was run."""

from collections.abc import Sequence

from turns import START_MS, turn_event

from labeling.text.normalisation import normalise
from rewriting.evidence.interpretation import Interpretation
from streams.session import Session, sessionize
from streams.turn import NluHypothesis, Request, Response, Slot, TurnEvent

DAY_MS = 86_400_000


def said(text: str, *, run: str | None = None, met: bool = True, song: str | None = None) -> TurnEvent:
    """A request, with what was run in its place; one that is not met has failed visibly.

    Args:
        text: what was said.
        run: what was run in its place.
        met: whether it was met.
        song: what is understood; by default what the words name.
    """
    words = song or normalise(text if run is None else run).removeprefix("play ")
    return turn_event(
        request=Request(text=text),
        executed_text=run,
        rewrite_id=None if run is None else "r1",
        nlu=(NluHypothesis(domain="music", intent="play", slots=(Slot(name="song", value=words),)),),
        response=Response(text=f"Here is {words}.", status="ok" if met else "no_result"),
    )


def meant(text: str) -> Interpretation:
    """What is made of a text that is run."""
    return Interpretation(f"music|play|song={text.removeprefix('play ')}")


def session_of(user: str, *turns: TurnEvent, day: int = 0, number: int = 0) -> Session:
    """One session of a user, whose requests follow each other in seconds.

    Args:
        user: whose it is.
        turns: its requests.
        day: on which it is.
        number: of the session among those of the user on this day, a quarter of an hour apart.
    """
    placed = [_placed(turn, user, day, number, place) for place, turn in enumerate(turns)]
    (session,) = sessionize(placed)
    return session


def sessions_of(users: Sequence[str], *turns: TurnEvent, day: int = 0) -> list[Session]:
    """The same session of each of some users."""
    return [session_of(user, *turns, day=day) for user in users]


def _placed(turn: TurnEvent, user: str, day: int, number: int, place: int) -> TurnEvent:
    return turn_event(
        **{name: getattr(turn, name) for name in ("executed_text", "rewrite_id", "nlu", "response")},
        request=turn.request,
        event_id=f"{user}-{day}-{number}-{place}",
        user_id=user,
        ts_ms=START_MS + day * DAY_MS + 900_000 * number + 8_000 * place,
    )
