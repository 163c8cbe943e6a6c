"""A detector whose answers are known: the next request is another try if it begins with the same letter."""

from collections.abc import Sequence

from letter_model import LetterModel

from rewriting.errors import RephraseInputError
from rewriting.evidence.rephrase_link import RephraseLink
from services.simulator import PlantedPair, planted_log
from streams.turn import TurnEvent

LIKELY, UNLIKELY = 0.9375, 0.1
NAME = "rephrase-letters"


class LetterDetector(LetterModel):
    """Finds second tries."""

    def __init__(self, likely: float = LIKELY) -> None:
        super().__init__(RephraseInputError("this session cannot be searched for rephrases"))
        self._likely = likely

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        self.take(sessions)
        return [self._links([turn.request.text for turn in turns]) for turns in sessions]

    def _links(self, texts: Sequence[str]) -> list[RephraseLink]:
        return [
            RephraseLink(i, i + 1, self._likely if texts[i][:1] == texts[i + 1][:1] else UNLIKELY)
            for i in range(len(texts) - 1)
        ]


def letter_log(letters: str = "abc", users: int = 4, assistant_id: str = "letters") -> list[TurnEvent]:
    """Second tries that no word and no status shows, and one that words show and the detector denies.

    Of each letter "<letter>hush", answered, and then "<letter>quiet please"; and "play sonk", "go play song".
    """
    pairs = [
        PlantedPair(source=f"{letter}hush", target=f"{letter}quiet please", users=users, source_status="ok")
        for letter in letters
    ]
    denied = PlantedPair(source="play sonk", target="go play sonk loud", users=users, source_status="ok")
    return planted_log([*pairs, denied], assistant_id=assistant_id)
