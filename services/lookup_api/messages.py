"""What goes over the wire: bodies of requests and of answers.

Bodies of requests are strict: an unknown field or a wrong type is an error that names the field.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rewriting.guards.allowed_rewrites import AllowedRewrite
from rewriting.guards.guarded_rewrites import GuardedRewrite
from rewriting.guards.reason import RefusalReason
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LONGEST_TEXT
from rewriting.table.occasion import ANY_KIND, AskedKind, TurnKind
from rewriting.table.rewrite import GLOBAL, Method, Rewrite
from rewriting.table.rollback import ServedPair
from streams.turn import Feedback, Status

_Id = Annotated[str, Meta(min_length=1, max_length=512)]
_Confidence = Annotated[float, Meta(ge=0, le=1)]
_Time = Annotated[
    int,
    Meta(
        description="when it was said, milliseconds since 1970-01-01 UTC; not before the year 2000, and not "
        "more than a day in the future"
    ),
]

MOST_PREVIOUS_TURNS: Final = 50  # far more than a session has; bounds the work for one request
MOST_SLOTS: Final = 100  # as many times what an understanding fills; bounds the same


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the bodies of requests."""


class SlotGuess(RequestBody, frozen=True, kw_only=True):
    """A slot that the language understanding has filled."""

    name: str
    value: str | None = None


class NluGuess(RequestBody, frozen=True, kw_only=True):
    """What the assistant's language understanding makes of the request."""

    intent: str
    domain: str | None = None
    slots: Annotated[tuple[SlotGuess, ...], Meta(max_length=MOST_SLOTS)] = ()
    confidence: float | None = None  # as logged: some understandings do not keep to 0..1


class AskingDevice(RequestBody, frozen=True, kw_only=True):
    """The device that took the request."""

    type: str | None = None
    has_screen: bool | None = None


class PreviousTurn(RequestBody, frozen=True, kw_only=True):
    """An earlier turn of the same dialogue."""

    text: Annotated[str, Meta(description="what the user said")]
    response_text: Annotated[str | None, Meta(description="what the assistant answered")] = None
    ts_ms: _Time | None = None
    nlu: NluGuess | None = None
    status: Status | None = None
    barge_in: Annotated[bool, Meta(description="the user interrupted the answer")] = False
    feedback: Feedback | None = None


class RewriteQuery(RequestBody, frozen=True, kw_only=True):
    """A request that the assistant is about to run."""

    text: Annotated[str, Meta(description="as recognised or typed; may be empty")]
    user_id: _Id
    assistant_id: Annotated[
        _Id | None, Meta(description="needed only where there are several and no API key tells it")
    ] = None
    request_id: Annotated[str, Meta(max_length=512, description="comes back in the answer")] | None = None
    asr_confidence: _Confidence | None = None
    nlu: NluGuess | None = None
    device: AskingDevice | None = None
    locale: Annotated[
        str | None,
        Meta(
            description="BCP 47, as in the turn event; rows of one locale hold in no other. null: not known"
        ),
    ] = None
    turn_kind: Annotated[
        AskedKind | None,
        Meta(
            description="system: it answers what the assistant said unasked; answer: it answers a question; "
            "opening: neither. By default, system_initiated and the prompt tell"
        ),
    ] = None
    system_initiated: Annotated[
        bool | None,
        Meta(description="whether it answers what the assistant said unasked, as in the turn event"),
    ] = None
    ts_ms: Annotated[_Time | None, Meta(description="by default, now")] = None
    prompt: Annotated[
        str | None,
        Meta(description="what the assistant has just said; by default, what it answered last"),
    ] = None
    previous_turns: Annotated[
        tuple[PreviousTurn, ...], Meta(max_length=MOST_PREVIOUS_TURNS, description="oldest first")
    ] = ()
    explain: Annotated[bool, Meta(description="whether the answer shall say how it was reached")] = False


class ServedRewrite(Struct, frozen=True, kw_only=True):
    """What to run in the place of the request."""

    id: str
    text: Annotated[str, Meta(description="as most users say it")]
    method: Method
    scope: Annotated[str, Meta(description="global, or user:<user_id>")]
    score: float


class OnlineDetails(Struct, frozen=True, kw_only=True):
    """How online rewriting came to its answer."""

    defect: Annotated[float | None, Meta(description="probability that the request fails as it is")]
    meant: Annotated[float | None, Meta(description="probability that the best candidate was meant")]
    win: Annotated[float | None, Meta(description="probability that it wins, of all that it would change")]
    sources: Annotated[tuple[str, ...], Meta(description="what speaks for the rewrite, in words")]
    seconds: Annotated[dict[str, float], Meta(description="how long each stage took")]
    models: Annotated[dict[str, str], Meta(description="names of the models, by kind")]
    index_version: int | None


class RewriteAnswer(Struct, frozen=True, kw_only=True):
    """A rewrite, or null and the reason for leaving the request as it is."""

    rewrite: ServedRewrite | None
    reason: AbstainReason | None
    table_version: int
    arm: Annotated[
        str | None,
        Meta(description="of the user, to be logged; null: serving is off, or nothing is known yet"),
    ] = None
    withheld: Annotated[
        str | None,
        Meta(
            description="id of the rewrite that was kept back, where the reason is held_out; to be logged as "
            "withheld_rewrite_id"
        ),
    ] = None
    request_id: str | None = None
    online: Annotated[
        OnlineDetails | UnsetType, Meta(description="where `explain` asks for it, if it was rewritten online")
    ] = UNSET


class FeedbackBody(RequestBody, frozen=True, kw_only=True):
    """What a user, or somebody for them, said about one turn or one rewrite."""

    user_id: _Id
    feedback: Feedback
    event_id: _Id | None = None
    rewrite_id: _Id | None = None
    assistant_id: _Id | None = None
    comment: Annotated[str, Meta(max_length=2_000)] | None = None


class FeedbackReceipt(Struct, frozen=True, kw_only=True):
    """Feedback has been stored."""

    feedback_id: str


class ForgetBody(RequestBody, frozen=True, kw_only=True):
    """Whom to forget."""

    user_id: _Id
    assistant_id: _Id | None = None


class ReasonBody(RequestBody, frozen=True, kw_only=True):
    """Why an operator changes the table; kept in its history."""

    reason: Annotated[str, Meta(min_length=1, max_length=2_000)]
    actor: Annotated[str, Meta(min_length=1, max_length=200, description="else the key's name")] | None = None


class BlockTextBody(ReasonBody, frozen=True, kw_only=True):
    """Which text must not be rewritten, and why."""

    source_text: Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT, description="as it is said")]
    scope: Annotated[str, Meta(max_length=520, description="global, or user:<user_id>")] = GLOBAL
    question: (
        Annotated[str, Meta(max_length=LONGEST_TEXT, description="only after this question; else always")]
        | None
    ) = None
    locale: Annotated[str | None, Meta(description="only in this locale; else in all")] = None
    turn_kind: Annotated[TurnKind, Meta(description="only for this kind of turn")] = ANY_KIND


class AllowBody(ReasonBody, frozen=True, kw_only=True):
    """Which of the pairs that the guards refuse may be a rewrite, and why."""

    target_text: (
        Annotated[
            str,
            Meta(
                max_length=LONGEST_TEXT, description="needed where several targets of the source are refused"
            ),
        ]
        | None
    ) = None


class RollbackBody(ReasonBody, frozen=True, kw_only=True):
    """To which version the table goes back, and why."""

    version: Annotated[int, Meta(ge=0, le=2**62)]
    lift_blocks: Annotated[
        bool,
        Meta(description="whether rewrites that it served come back that somebody has blocked since"),
    ] = False


class RewritePage(Struct, frozen=True, kw_only=True):
    """Some rewrites, ordered by id."""

    rewrites: tuple[Rewrite, ...]
    next_after: Annotated[str | None, Meta(description="`after` of the next page; null: the last page")]


class RefusedPair(Struct, frozen=True, kw_only=True):
    """A pair of requests of which the guards make no rewrite."""

    rewrite_id: Annotated[str, Meta(description="of the row that it would be; allows it")]
    source_text: str
    target_text: str
    locale: Annotated[str, Meta(description="empty: none that is known")]
    reasons: tuple[RefusalReason, ...]


class GuardState(Struct, frozen=True, kw_only=True):
    """What the guards hold back, as of the last solution of the chain, and what is allowed all the same."""

    assistant_id: str
    by_reason: Annotated[dict[str, int], Meta(description="refused pairs; one with two reasons counts twice")]
    refused: Annotated[tuple[RefusedPair, ...], Meta(description="`limit` of them at most, by source")]
    allowed: tuple[AllowedRewrite, ...]


class GuardedPage(Struct, frozen=True, kw_only=True):
    """What the guards made of some pairs when the chain was last solved, ordered by the id of their row."""

    by_state: Annotated[dict[str, int], Meta(description="pairs in each state, on all pages")]
    rewrites: tuple[GuardedRewrite, ...]
    next_after: Annotated[str | None, Meta(description="`after` of the next page; null: the last page")]


class Disallowed(Struct, frozen=True, kw_only=True):
    """The guards judge these pairs again."""

    ended: Annotated[tuple[AllowedRewrite, ...], Meta(description="the approvals that were taken back")]


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a rewrite is as it is."""

    rewrite: Rewrite
    words: Annotated[tuple[str, ...], Meta(description="the numbers behind it, in sentences")]
    guard: Annotated[
        tuple[GuardedRewrite, ...],
        Meta(
            description="what the guards make of it, and how it fares, in each locale where that differs; "
            "none: no chain has made it"
        ),
    ]
    evidence: Annotated[tuple[str, ...], Meta(description="ids of some of the sessions behind it")]
    history: Annotated[tuple[Rewrite, ...], Meta(description="every state of the row, oldest first")]


class TableState(Struct, frozen=True, kw_only=True):
    """The rewrite table of an assistant."""

    assistant_id: str
    version: int
    served_version: Annotated[int, Meta(description="the one that lookups are answered from")]
    rewrites: Annotated[dict[str, int], Meta(description="number of rows by status")]
    held: Annotated[int, Meta(description="of the live ones, those that a rollback keeps live")]


class TableChange(Struct, frozen=True, kw_only=True):
    """The table has changed; after a rollback, what that changed in what is served."""

    assistant_id: str
    version: int
    served_again: Annotated[
        tuple[ServedPair, ...] | UnsetType, Meta(description="served now, and not like this before")
    ] = UNSET
    no_longer_served: Annotated[
        tuple[ServedPair, ...] | UnsetType, Meta(description="served before, and not like this any more")
    ] = UNSET
    still_blocked: Annotated[
        tuple[ServedPair, ...] | UnsetType,
        Meta(description="served at the earlier version; blocked since, and not lifted"),
    ] = UNSET


class SwitchState(Struct, frozen=True, kw_only=True):
    """How the off switch of an assistant was last turned."""

    off: bool
    reason: str
    actor: str
    changed_ms: Annotated[int, Meta(description="milliseconds since 1970")]


class ServingState(Struct, frozen=True, kw_only=True):
    """Who is served the rewrites of an assistant."""

    assistant_id: str
    off: Annotated[
        bool, Meta(description="all requests are left as they are: by the switch, or the settings")
    ]
    off_in_settings: Annotated[
        bool, Meta(description="the server's settings have it off, whatever the switch")
    ]
    off_here: Annotated[bool, Meta(description="as the process that answers has taken over by now")]
    switch: Annotated[SwitchState | None, Meta(description="null: it was never turned, so it is on")]
    arms: Annotated[dict[str, float], Meta(description="share of the users in each arm, of 1")]
    exploration: Annotated[
        float, Meta(description="share of the requests outside of control that are left as they are, of 1")
    ]


class Liveness(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["up"] = "up"


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether lookups are answered from a table that is up to date."""

    ready: bool
    message: str
    table_age_s: float | None  # since the last look at the database; null: never
    assistants: int
    online: Annotated[
        dict[str, str], Meta(description="by assistant, whether its requests are rewritten online")
    ] = {}


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What is wrong with a request, or why it cannot be met now."""

    status: int
    message: str
    field: str | None = None  # of the body or query, where one is at fault
