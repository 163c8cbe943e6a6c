"""Label targets: what a model learns of each turn, from annotations and from what the log itself shows.

Targets are distributions over classes (of binary labels: a probability), with a weight of 0 where nothing is
known. Those of the log (`WeakLabels`) give way to annotations.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.annotations.annotation import AnnotatedSlot, Annotation, Annotations
from labeling.labels.space import (
    BINARY,
    N_RATINGS,
    NAMED,
    OUTSIDE,
    RATINGS,
    LabelSpace,
    annotates,
    frequent_names,
)
from labeling.labels.turn_label import LabelName, SlotLabel
from labeling.turns.dialogue_part import Part
from streams.turn import EventId, TurnEvent

LEAST_ANNOTATED = 50
"""Annotated turns from which a label is learned: of fewer, chance teaches as much."""

LEAST_NAMED = 3
"""Times that an intent, a domain or a slot must be annotated to be learned."""

SAID_ELSEWHERE = 0.2
"""Weight of a success that is said at another turn of the goal: there is what tells it."""

GIVEN_AWAY = 0.01
"""Share of the rarer of two answers that a signal may get wrong, to be what an annotation was made of."""

UNKNOWN = -1
"""Class of a name that is not learned, and tag of a token of which nothing is known."""


class WeakTurn(Struct, frozen=True, kw_only=True):
    """What the log shows of one turn; None: nothing. Probabilities are 0..1."""

    goal_start: float | None = None
    goal_success: float | None = None
    defect: float | None = None
    domain: str | None = None
    intent: str | None = None
    slots: tuple[SlotLabel, ...] | None = None
    trust: float = 1.0  # weight of domain, intent and slots


class WeakLabels(Struct, frozen=True):
    """What the log shows, and what it was made of."""

    dialogues: Sequence[Sequence[WeakTurn]]
    made_of: Mapping[LabelName, frozenset[Part]]


class TurnTarget(Struct, frozen=True):
    """What is learned of one turn."""

    values: dict[LabelName, tuple[float, ...]]  # by task: probability (binary), distribution (ratings)
    classes: dict[LabelName, int]  # of domain and intent
    slots: tuple[SlotLabel, ...] | None = None
    weights: dict[LabelName, float] = {}
    """Where it is not 1."""

    shown: float | None = None
    """Probability that the turn visibly failed, whatever is said of it."""

    said: frozenset[LabelName] = frozenset()
    """What an annotation says."""

    def tells(self, task: LabelName) -> bool:
        """Whether anything is known of a label."""
        if task == "slots":
            return self.slots is not None
        return task in self.values or self.classes.get(task, UNKNOWN) != UNKNOWN


def label_space(
    dialogues: Sequence[Sequence[TurnEvent]], annotations: Annotations, weak: WeakLabels | None
) -> tuple[LabelSpace, dict[LabelName, str]]:
    """Which labels can be learned, and why the others cannot.

    A label that annotations alone say is learned with everything visible; one that the log shows, with what
    it was made of hidden. What the log shows is no label any more where annotations say at least half as
    much; of domains, intents and slots, where they say anything.
    """
    known = [
        annotation
        for turns in dialogues
        for turn in turns
        if (annotation := annotations.get(EventId(turn.event_id))) is not None
    ]
    shown = [turn for of_dialogue in weak.dialogues for turn in of_dialogue] if weak else []
    tasks: list[LabelName] = []
    why_not: dict[LabelName, str] = {}
    from_log: list[LabelName] = []
    hidden: dict[LabelName, tuple[Part, ...]] = {}
    for task in (*BINARY, *RATINGS, *NAMED, "slots"):
        n_annotated = sum(annotates(one, task) for one in known)
        n_shown = sum(getattr(one, task, None) is not None for one in shown)
        if max(n_annotated, n_shown) >= LEAST_ANNOTATED:
            tasks.append(task)
            of_meaning = task in (*NAMED, "slots")
            gives_way = n_annotated >= (LEAST_ANNOTATED if of_meaning else max(LEAST_ANNOTATED, n_shown / 2))
            if weak is not None and n_shown >= LEAST_ANNOTATED and not gives_way:
                from_log.append(task)
                if made_of := weak.made_of.get(task):
                    hidden[task] = tuple(sorted(made_of))
            elif given_away := _given_away(task, dialogues, annotations):
                hidden[task] = given_away
        elif n_annotated:
            why_not[task] = f"{n_annotated} turns are annotated, {LEAST_ANNOTATED} are needed"
        else:
            why_not[task] = "no annotation says it"

    def saying(task: LabelName) -> list[Annotation | WeakTurn]:
        return [*known, *(shown if task in from_log else ())]

    names: dict[LabelName, tuple[str, ...]] = {}
    for task in NAMED:
        said = (name for one in saying(task) if (name := getattr(one, task)) is not None)
        names[task] = frequent_names(said, LEAST_NAMED)
        if task in tasks and len(names[task]) < 2:
            tasks.remove(task)
            why_not[task] = f"fewer than 2 have been said {LEAST_NAMED} times"
    slots = frequent_names((slot.name for one in saying("slots") for slot in one.slots or ()), LEAST_NAMED)
    if "slots" in tasks and not slots:
        tasks.remove("slots")
        why_not["slots"] = f"no slot has been said {LEAST_NAMED} times"
    space = LabelSpace(
        tasks=tuple(tasks),
        domains=names["domain"] if "domain" in tasks else (),
        intents=names["intent"] if "intent" in tasks else (),
        slots=slots if "slots" in tasks else (),
        from_log=tuple(task for task in from_log if task in tasks),
        hidden={task: parts for task, parts in hidden.items() if task in tasks},
    )
    return space, why_not


def dialogue_targets(
    turns: Sequence[TurnEvent],
    space: LabelSpace,
    annotations: Annotations,
    weak: Sequence[WeakTurn] | None,
) -> list[TurnTarget]:
    """What is learned of each turn of a dialogue."""
    said = [annotations.get(EventId(turn.event_id)) for turn in turns]
    success = _success_ahead(said)
    targets = []
    for position, (turn, annotation) in enumerate(zip(turns, said, strict=True)):
        values: dict[LabelName, tuple[float, ...]] = {}
        classes: dict[LabelName, int] = {}
        weights: dict[LabelName, float] = {}
        slots: tuple[SlotLabel, ...] | None = None
        shown = weak[position] if weak is not None else WeakTurn()
        for task in space.tasks:
            if task in BINARY:
                of_log = shown if task in space.from_log else WeakTurn()
                value = _probability(task, position, said, success, of_log)
                if value is not None:
                    values[task] = (value,)
                says_it = annotation is not None and annotation.goal_success is not None
                if task == "goal_success" and success[position] is not None and not says_it:
                    weights[task] = SAID_ELSEWHERE
            elif task in RATINGS:
                ratings = None if annotation is None else getattr(annotation, task)
                if ratings:
                    counts = np.bincount(np.array(ratings) - 1, minlength=N_RATINGS)
                    values[task] = tuple((counts / counts.sum()).tolist())
            elif task == "slots":
                # An annotator who looked at the meaning, and names no slots, has found none.
                if annotation and (annotation.slots, annotation.domain, annotation.intent) != (None,) * 3:
                    slots = found_slots(turn.request.text, annotation.slots or ())
                elif shown.slots is not None and task in space.from_log:
                    slots, weights[task] = shown.slots, shown.trust
            else:
                name = None if annotation is None else getattr(annotation, task)
                if name is None and task in space.from_log:
                    name, weights[task] = getattr(shown, task), shown.trust
                if name is not None:
                    known = space.domains if task == "domain" else space.intents
                    classes[task] = known.index(name) if name in known else UNKNOWN
        is_said = frozenset(task for task in space.tasks if annotation and annotates(annotation, task))
        targets.append(TurnTarget(values, classes, slots, weights, shown.defect, is_said))
    return targets


def found_slots(text: str, slots: Sequence[AnnotatedSlot]) -> tuple[SlotLabel, ...]:
    """Where the values of slots stand in a request; those that do not stand in it are left out.

    A value without characters is sought as whole words, without regard to case; overlaps are left out.
    """
    found: list[SlotLabel] = []
    for slot in slots:
        place: tuple[int, int] | None = None
        if slot.start is not None and slot.end is not None:
            place = (slot.start, min(slot.end, len(text)))
        elif slot.value:
            place = _place(text, slot.value, found)
        if place is not None and place[0] < place[1] and not _overlaps(place, found):
            start, end = place
            found.append(SlotLabel(name=slot.name, value=text[start:end], start=start, end=end))
    return tuple(sorted(found, key=lambda slot: slot.start))


def slot_tags(
    offsets: Sequence[tuple[int, int]], slots: Sequence[SlotLabel], names: Sequence[str]
) -> NDArray[np.int64]:
    """The tag of each token of a request: (tokens,).

    Args:
        offsets: characters of each token.
        slots: that do not overlap.
        names: of the slots that are learned; the others are outside.
    """
    tags = np.full(len(offsets), OUTSIDE, dtype=np.int64)
    for slot in slots:
        if slot.name not in names:
            continue
        number = names.index(slot.name)
        inside = [i for i, (start, end) in enumerate(offsets) if start < slot.end and end > slot.start]
        for order, i in enumerate(inside):
            tags[i] = 2 * number + (1 if order == 0 else 2)
    return tags


def tagged_slots(
    text: str, offsets: Sequence[tuple[int, int]], tags: Sequence[int], names: Sequence[str]
) -> list[tuple[SlotLabel, range]]:
    """The slots that tags say, each with its tokens; a slot may start with either of its tags."""
    found: list[tuple[SlotLabel, range]] = []
    start = 0
    while start < len(tags):
        tag = int(tags[start])
        end = start + 1
        if tag != OUTSIDE:
            inside = tag + 1 if tag % 2 else tag
            while end < len(tags) and int(tags[end]) == inside:
                end += 1
            # The tokens of one character may have tags of two slots: it is in the first of them alone.
            first = max(offsets[start][0], found[-1][0].end if found else 0)
            last = offsets[end - 1][1]
            while first < last and text[first].isspace():
                first += 1
            if first < last:
                name = names[(tag - 1) // 2]
                label = SlotLabel(name=name, value=text[first:last], start=first, end=last)
                found.append((label, range(start, end)))
        start = end
    return found


def _given_away(
    task: LabelName, dialogues: Sequence[Sequence[TurnEvent]], annotations: Annotations
) -> tuple[Part, ...]:
    """The signals of a turn that say by themselves what is annotated: it was made of them.

    A model that saw them would learn nothing else, and fail where they are missing.
    """
    if task not in ("goal_success", "defect"):
        return ()
    pairs = [
        (turn, annotation)
        for turns in dialogues
        for turn in turns
        if (annotation := annotations.get(EventId(turn.event_id))) is not None and annotates(annotation, task)
    ]
    found: list[Part] = []
    for part in ("status", "signals"):
        seen: dict[object, Counter[bool]] = {}
        totals: Counter[bool] = Counter()
        for turn, annotation in pairs:
            said = bool(annotation.goal_success if task == "goal_success" else not annotation.correct)
            signal = turn.signals if part == "signals" else turn.response and turn.response.status
            seen.setdefault(signal, Counter())[said] += 1
            totals[said] += 1
        wrong = sum(counts.total() - max(counts.values()) for counts in seen.values())
        if wrong <= GIVEN_AWAY * (totals.total() - max(totals.values())):
            found.append(part)
    return tuple(found)


def _probability(
    task: LabelName,
    position: int,
    said: Sequence[Annotation | None],
    success: Sequence[bool | None],
    shown: WeakTurn,
) -> float | None:
    annotation = said[position]
    if task == "goal_start":
        if position == 0:
            return None  # a dialogue starts with a goal, always
        before = said[position - 1]
        if annotation is not None and before is not None and annotation.goal_id and before.goal_id:
            return float(annotation.goal_id != before.goal_id)
        return shown.goal_start
    if task == "defect":
        if annotation is not None and annotation.correct is not None:
            return float(not annotation.correct)
        return shown.defect
    return shown.goal_success if success[position] is None else float(success[position] or False)


def _success_ahead(said: Sequence[Annotation | None]) -> list[bool | None]:
    """Of each turn, what is said of its goal at the next turn of the goal that says it, else at the last."""
    ahead: list[bool | None] = [None] * len(said)
    next_said: dict[str, bool] = {}
    for position in range(len(said) - 1, -1, -1):
        annotation = said[position]
        if annotation is None:
            continue
        if annotation.goal_success is not None:
            ahead[position] = annotation.goal_success
            if annotation.goal_id is not None:
                next_said[annotation.goal_id] = annotation.goal_success
        elif annotation.goal_id is not None:
            ahead[position] = next_said.get(annotation.goal_id)
    last_said: dict[str, bool] = {}
    for position, annotation in enumerate(said):
        if annotation is None or annotation.goal_id is None:
            continue
        if annotation.goal_success is not None:
            last_said[annotation.goal_id] = annotation.goal_success
        elif ahead[position] is None:
            ahead[position] = last_said.get(annotation.goal_id)
    return ahead


def _place(text: str, value: str, taken: Sequence[SlotLabel]) -> tuple[int, int] | None:
    """The first place of a value as whole words, where no other slot is."""
    folded, wanted = text.lower(), value.lower().strip()
    if not wanted or len(folded) != len(text):  # some letters change their number in lower case
        return None
    start = folded.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        whole = not (start and _is_one_word(folded[start - 1], wanted[0]))
        whole = whole and not (end < len(folded) and _is_one_word(wanted[-1], folded[end]))
        if whole and not _overlaps((start, end), taken):
            return start, end
        start = folded.find(wanted, start + 1)
    return None


def _is_one_word(character: str, following: str) -> bool:
    """Whether no word ends between two characters.

    Among letters that are neither small nor capital that cannot be seen: many of their scripts have no spaces
    (Chinese, Thai), or put particles right after names (Korean).
    """
    return all(one.isalnum() and unicodedata.category(one) != "Lo" for one in (character, following))


def _overlaps(place: tuple[int, int], taken: Sequence[SlotLabel]) -> bool:
    return any(place[0] < slot.end and place[1] > slot.start for slot in taken)
