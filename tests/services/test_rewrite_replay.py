from rewriting.lookup_table import LookupTable
from rewriting.rewrite import GLOBAL, Rewrite, Scope, TableVersion, rewrite_id, user_scope
from services.rewrite_replay import replay_turns
from streams.turn import AssistantId, Recognition, Request, TurnEvent


def turn(text: str, *, assistant: str = "a", user: str = "u", confidence: float | None = None) -> TurnEvent:
    asr = () if confidence is None else (Recognition(text=text, confidence=confidence),)
    return TurnEvent(
        schema_version=1,
        event_id=f"{assistant}-{user}-{text}-{confidence}",
        assistant_id=assistant,
        user_id=user,
        ts_ms=0,
        request=Request(text=text, asr=asr),
    )


def row(source: str, target: str, scope: Scope = GLOBAL, max_confidence: float | None = None) -> Rewrite:
    return Rewrite(
        rewrite_id=rewrite_id("a", scope, source),
        assistant_id=AssistantId("a"),
        scope=scope,
        source_text=source,
        source_interpretation=None,
        target_text=target,
        target_interpretation=None,
        method="chain",
        max_confidence=max_confidence,
        score=0.5,
        sessions=3,
        users=3,
        source_success_rate=0.0,
        source_count=3,
        target_success_rate=1.0,
        target_count=3,
        failure_point=None,
        evidence=(),
    )


def answers(turns: list[TurnEvent], *rows: Rewrite) -> list[str | None]:
    table = LookupTable.of(AssistantId("a"), TableVersion(1), rows)
    return [replayed.rewrite for replayed in replay_turns(turns, {"a": table})]


def test_each_turn_gets_what_the_api_would_answer() -> None:
    rows = [row("pley jazz", "play jazz"), row("pley jazz", "play rock", user_scope("rocker"))]
    turns = [turn("Pley  jazz!"), turn("pley jazz", user="rocker"), turn("play jazz"), turn("")]
    assert answers(turns, *rows) == ["play jazz", "play rock", None, None]


def test_a_guarded_rewrite_leaves_sure_requests_alone() -> None:
    guarded = row("pley jazz", "play jazz", max_confidence=0.5)
    turns = [turn("pley jazz", confidence=value) for value in (0.4, 0.6, None)]
    assert answers(turns, guarded) == ["play jazz", None, None]


def test_another_assistant_gets_nothing() -> None:
    assert answers([turn("pley jazz", assistant="b")], row("pley jazz", "play jazz")) == [None]
