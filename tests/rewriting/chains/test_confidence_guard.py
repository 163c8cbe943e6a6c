"""The limits of a row, in worlds in which it is known how surely the wrong requests were understood."""

from collections.abc import Sequence

import pytest

from rewriting.chains.confidence_cell import bands_of, cell_of, known_parts
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import N_BANDS, NOT_KNOWN, ChainStep, session_steps
from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.understanding_confidence import UnderstandingConfidence, understanding_confidence
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import Rewrite, TableVersion
from streams.session import sessionize
from streams.turn import AssistantId, NluHypothesis, Recognition, Request, Response, Slot, Status, TurnEvent

ASSISTANT = AssistantId("a")
Known = tuple[float | None, float | None]  # of the recogniser, of the NLU


class World:
    """Users who say "play jess", and are taken for somebody else where the assistant was not sure."""

    def __init__(self) -> None:
        self.turns: list[TurnEvent] = []
        self._sessions = 0

    def wrong(self, known: Known, users: int = 12) -> None:
        """The request fails, and the next says what was meant."""
        for user in range(users):
            self._session(user, known, ("play jess", "error"), ("play jazz", "ok"))

    def right(self, known: Known, users: int = 12, times: int = 3) -> None:
        """The request is met."""
        for user in range(users):
            for _ in range(times):
                self._session(user, known, ("play jess", "ok"))

    def row(self) -> Rewrite | None:
        """What is learned."""
        miner = ChainMiner(ASSISTANT, ChainSettings())
        for session in sessionize(self.turns):
            miner.touch(miner.counts.add(session_steps(session)))
        miner.solve()
        return miner.rewrites[0] if miner.rewrites else None

    def serves(self, *known: Known) -> list[bool]:
        """Whether the row is served for requests with these confidences."""
        row = self.row()
        table = LookupTable.of(ASSISTANT, TableVersion(1), [] if row is None else [row])
        return [look_up(table, understanding_confidence(*one)) for one in known]

    def _session(self, user: int, known: Known, *said: tuple[str, Status]) -> None:
        asr, nlu = known
        self._sessions += 1
        for i, (text, status) in enumerate(said):
            self.turns.append(
                TurnEvent(
                    schema_version=1,
                    event_id=f"{self._sessions}-{i}",
                    assistant_id=ASSISTANT,
                    user_id=f"u{user}",
                    ts_ms=self._sessions * 3_600_000 + i * 5_000,
                    request=Request(text=text, asr=(Recognition(text=text, confidence=asr),)),
                    nlu=(
                        NluHypothesis(
                            domain="d", intent="i", confidence=nlu, slots=(Slot(name="what", value=text),)
                        ),
                    ),
                    response=Response(status=status),
                )
            )


def look_up(table: LookupTable, confidence: UnderstandingConfidence | None) -> bool:
    if confidence is None:
        return table.look_up("play jess").rewrite is not None
    return table.look_up("play jess", None, confidence.value, parts=confidence.parts).rewrite is not None


def limits(row: Rewrite | None) -> Sequence[float | None]:
    assert row is not None
    return row.max_confidence, row.max_asr_confidence, row.max_nlu_confidence


def test_each_confidence_has_a_limit_of_its_own() -> None:
    world = World()
    world.wrong((0.6, 0.5))  # the product is 0.3
    world.right((0.9, 0.9))
    assert limits(world.row()) == (0.35, 0.65, 0.55)
    # 0.6 of the recogniser alone is how sure it was where the request was wrong.
    assert world.serves((0.6, None), (None, 0.5), (0.6, 0.5)) == [True, True, True]
    assert world.serves((0.9, None), (None, 0.9), (0.9, 0.9), (None, None)) == [False] * 4


def test_where_one_confidence_tells_nothing_the_row_is_not_served_on_it_alone() -> None:
    world = World()
    world.wrong((0.9, 0.2))
    world.right((0.9, 0.9), users=40)
    assert limits(world.row()) == (0.25, 0.0, None)
    assert world.serves((0.9, 0.2), (None, 0.2), (0.9, None)) == [True, True, False]


@pytest.mark.parametrize("is_asr", [True, False])
def test_a_limit_learned_of_one_confidence_alone_is_not_applied_to_products(is_asr: bool) -> None:
    world = World()
    world.wrong((0.3, None) if is_asr else (None, 0.3))
    world.right((0.8, None) if is_asr else (None, 0.8))
    assert limits(world.row()) == ((0.0, 0.35, None) if is_asr else (0.0, None, 0.35))
    alone: list[Known] = [(0.3, None), (None, 0.3)]
    assert world.serves(*alone) == [is_asr, not is_asr]
    assert world.serves((0.3, 0.9), (0.1, 0.1), (None, None)) == [False, False, False]


@pytest.mark.parametrize("known", [(None, None), (0.3, None), (None, 0.3), (0.5, 0.5)])
def test_a_row_that_holds_for_all_has_no_limit_whatever_the_log_tells(known: Known) -> None:
    world = World()
    world.wrong(known, users=20)
    world.wrong((None, None) if known == (None, None) else (known[0] and 0.9, known[1] and 0.9), users=20)
    row = world.row()
    assert row is not None
    assert row.limits is None
    assert world.serves((0.9, 0.9), (0.9, None), (None, 0.9), (None, None)) == [True] * 4


def test_requests_that_the_nlu_could_not_read_have_a_row_of_their_own() -> None:
    world = World()
    world.wrong((0.4, None))  # nothing was understood
    world.right((0.9, 0.9), times=6)
    row = world.row()
    assert row is not None
    assert (row.max_confidence, row.max_asr_confidence) == (0.0, 0.45)
    assert world.serves((0.4, None), (0.4, 0.9), (0.9, 0.9)) == [True, False, False]


def test_a_request_that_is_right_as_surely_as_it_is_wrong_has_no_row() -> None:
    world = World()
    world.wrong((0.9, 0.9), users=5)
    world.right((0.9, 0.9), users=20)
    assert world.row() is None


def test_every_cell_knows_the_bands_of_what_was_counted_in_it() -> None:
    for band in range(N_BANDS):
        for asr in (NOT_KNOWN, *range(N_BANDS)):
            for nlu in (NOT_KNOWN, *range(N_BANDS)):
                step = ChainStep("t", "t", Interpretation("i"), band, 1, 0, 0, asr_band=asr, nlu_band=nlu)
                bands = dict(bands_of(cell_of(step)))
                known = known_parts(cell_of(step))
                if known == "product" and asr != NOT_KNOWN:
                    assert bands == {"product": band, "asr": asr, "nlu": nlu}
                elif known is not None:
                    assert bands == {known: {"asr": asr, "nlu": nlu}.get(known, band)}
                else:
                    assert bands == dict.fromkeys(("product", "asr", "nlu"), N_BANDS - 1)
