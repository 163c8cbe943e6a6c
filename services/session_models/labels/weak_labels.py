"""Weak labels: what a log shows by itself of goals, defects and meaning, for the training of a label model.

Goals go on where a request is the next try of an earlier one (`WeakRephrases`). Defects are what users and
the assistant let see. What a request means is what the assistant took it for, where the user was content with
that; else what it took the next try for. Of a request that was rewritten the log does not say what the
assistant took it for: what it took for what was run instead is nobody's meaning here.
"""

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from labeling.annotations.annotation import AnnotatedSlot
from labeling.labels.targets import WeakLabels, WeakTurn, found_slots
from labeling.labels.turn_label import LabelName
from labeling.labels.weak_defects import MADE_OF, visible_defect
from labeling.text.rewritten_request import is_rewritten
from labeling.turns.dialogue_part import Part
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from streams.turn import TurnEvent

log = structlog.get_logger()

LEAST_VISIBLE = 50
"""Turns that visibly fail, from which defects are learned: some logs report none."""

_LEAST_LINKED = 0.5  # probability of a next try whose meaning is taken over

_UNDERSTOOD: frozenset[Part] = frozenset({"understanding", "responses"})
"""What the meaning of a turn is made of: responses repeat what was understood."""


def weak_labels(dialogues: Sequence[Sequence[TurnEvent]], rephrases: RephraseSettings) -> WeakLabels:
    """What a log shows.

    Args:
        dialogues: turns of each session, in order.
        rephrases: how next tries are sought.
    """
    links: Sequence[Sequence[RephraseLink] | None]
    try:
        links = WeakRephrases.fit(dialogues, rephrases).detect(dialogues)
    except RephraseTrainingError as error:
        log.info("goals and second tries are not learned from the log", reason=str(error))
        links = [None] * len(dialogues)
    made = [_weak_turns(turns, of_dialogue) for turns, of_dialogue in zip(dialogues, links, strict=True)]
    visible = sum((turn.defect or 0.0) >= 0.5 for of_dialogue in made for turn in of_dialogue)
    made_of: dict[LabelName, frozenset[Part]] = {
        "defect": MADE_OF,
        "domain": _UNDERSTOOD,
        "intent": _UNDERSTOOD,
        "slots": _UNDERSTOOD,
    }
    if visible < LEAST_VISIBLE:
        made = [[replace(turn, defect=None) for turn in of_dialogue] for of_dialogue in made]
    return WeakLabels(made, made_of)


def _weak_turns(turns: Sequence[TurnEvent], links: Sequence[RephraseLink] | None) -> list[WeakTurn]:
    onward: dict[int, RephraseLink] = {}  # the likeliest next try of each turn
    back = [0.0] * len(turns)  # probability that each turn is the next try of an earlier one
    for link in links or ():
        if link.source not in onward or link.score > onward[link.source].score:
            onward[link.source] = link
        back[link.target] = max(back[link.target], link.score)
    continues = [onward[position].score if position in onward else 0.0 for position in range(len(turns))]
    defects = [visible_defect(turn, score) for turn, score in zip(turns, continues, strict=True)]
    made = []
    for position, turn in enumerate(turns):
        meaning, trust, own = _meaning(position, turns, defects, onward)
        hypothesis = meaning.nlu[0] if meaning is not None else None
        slots = None
        if hypothesis is not None and own:
            known = [AnnotatedSlot(name=slot.name, value=slot.value) for slot in hypothesis.slots]
            slots = found_slots(turn.request.text, known)
        made.append(
            WeakTurn(
                goal_start=1 - back[position] if position and links is not None else None,
                defect=defects[position],
                domain=None if hypothesis is None else hypothesis.domain,
                intent=None if hypothesis is None else hypothesis.intent,
                slots=slots,
                trust=trust,
            )
        )
    return made


def _meaning(
    position: int,
    turns: Sequence[TurnEvent],
    defects: Sequence[float],
    onward: dict[int, RephraseLink],
) -> tuple[TurnEvent | None, float, bool]:
    """The turn whose interpretation a turn is taken to mean, how far, and whether it is the turn itself."""
    trust = 1.0
    place = position
    while defects[place] >= 0.5:
        link = onward.get(place)
        if link is None or link.score < _LEAST_LINKED:
            return None, 0.0, False
        trust *= link.score
        place = link.target
    if not turns[place].nlu or is_rewritten(turns[place]):
        return None, 0.0, False
    return turns[place], trust * (1 - defects[place]), place == position
