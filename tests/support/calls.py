"""Calls of an assistant that asks, made so that it is known what a rewrite after a question must rest on."""

from turns import START_MS

from streams.turn import NluHypothesis, Recognition, Request, Response, Slot, TurnEvent

ASSISTANT = "calls"
AREA, FOOD = "What area do you want?", "What kind of food?"


class Calls:
    """A log of calls, an hour apart, in each of which one question is asked and answered."""

    def __init__(self) -> None:
        self.turns: list[TurnEvent] = []

    def answer(
        self,
        asked: str,
        text: str,
        response: str,
        *,
        user: str,
        slots: dict[str, str] | None = None,
        assistant_id: str = ASSISTANT,
    ) -> None:
        """A call.

        Args:
            asked: what the assistant says first.
            text: what the log has of the answer.
            response: what the assistant says to it.
            user: who calls.
            slots: as the log has the answer understood; none: not understood.
            assistant_id: whose log.
        """
        number = len(self.turns)
        self.turns.append(
            TurnEvent(
                schema_version=1,
                event_id=f"turn-{number}",
                assistant_id=assistant_id,
                user_id=user,
                dialogue_id=f"call-{number}",
                ts_ms=START_MS + number * 3_600_000,
                prompt=asked,
                request=Request(text=text, asr=(Recognition(text=text, confidence=0.9),)),
                nlu=(
                    NluHypothesis(
                        domain="food",
                        intent="inform" if slots else "null",
                        slots=tuple(Slot(name=name, value=value) for name, value in (slots or {}).items()),
                    ),
                ),
                response=Response(text=response, status="ok"),
            )
        )

    def understood(self, users: int = 3) -> None:
        """Each value of both questions is answered by users, and found so."""
        for i in range(users):
            for area in ("south", "north", "south east"):
                self.answer(AREA, f"the {area}", f"Here is {area}.", user=f"u{i}", slots={"area": area})
            for food in ("thai", "greek"):
                self.answer(FOOD, food, f"Here is {food}.", user=f"u{i}", slots={"food": food})

    def misheard(self, asked: str, text: str, told: str, *, confirmed: int, silent: int = 0) -> None:
        """A text that is not understood: confirmed to some users, and to others nothing."""
        for i in range(confirmed):
            self.answer(asked, text, told, user=f"m{i}")
        for i in range(silent):
            self.answer(asked, text, "Pardon.", user=f"s{i}")


def two_misheard_words() -> list[TurnEvent]:
    """A log in which "sauce" is "the south" after one question, and "thai" after the other.

    It is confirmed to three of five users who say so, and to three of four.
    """
    calls = Calls()
    calls.understood()
    calls.misheard(AREA, "sauce", "Curry Garden is in the south of town.", confirmed=3, silent=2)
    calls.misheard(FOOD, "sauce", "You want thai food, right?", confirmed=3, silent=1)
    return calls.turns
