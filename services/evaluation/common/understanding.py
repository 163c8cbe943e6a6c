"""What the assistant itself makes of a text: the judge of every rewrite.

A rewrite is good when the assistant, given the rewritten text, does what the user meant. So the score needs
the assistant's own understanding of texts that were perhaps never said: a file of its answers, or a program.
"""

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.errors import EvaluationFileError
from streams.turn import Slot

SILENT_WORDS = frozenset(("the", "a", "an", "my", "to", "of", "for", "on", "in", "at", "please"))
"""Words that do not count when slot values are compared: people annotate them or not, as it happens."""


class Meaning(Struct, frozen=True):
    """What a request asks for; two requests ask for the same exactly when their meanings are equal."""

    domain: str | None
    intent: str | None
    values: tuple[tuple[str, str], ...]  # (slot, value), sorted


class Understanding(Protocol):
    """The language understanding of an assistant."""

    def understand(self, text: str, prompt: str) -> Meaning | None:
        """The meaning of a text said after `prompt`, or None where the assistant would not understand it."""
        ...


def nlu_meaning(domain: str | None, intent: str | None, slots: Iterable[Slot]) -> Meaning:
    """The meaning of an NLU's output: slot values in lower case and without `SILENT_WORDS`.

    >>> nlu_meaning("music", "play", [Slot(name="song", value="The Wall please")]).values
    (('song', 'wall'),)
    """
    values = sorted((slot.name, _spoken_value(slot.value or "")) for slot in slots)
    return Meaning(domain, intent, tuple(values))


def frame_meaning(frame: Iterable[tuple[str, str]]) -> Meaning:
    """The meaning of a semantic frame: its (slot or act, value) pairs, exactly as they are."""
    return Meaning(None, None, tuple(sorted(frame)))


class AnswerFile:
    """The answers of an assistant to every text that occurs; a text without an answer is not understood."""

    def __init__(self, answers: Mapping[str, Meaning]) -> None:
        self._answers = dict(answers)

    def understand(self, text: str, prompt: str) -> Meaning | None:
        """Looks the text up, letter by letter; the prompt plays no part."""
        return self._answers.get(text)


class AnswerProgram(Struct, frozen=True):
    """An assistant's understanding as a function of text and prompt that returns a frame."""

    function: Callable[[str, str], object]
    name: str

    def understand(self, text: str, prompt: str) -> Meaning | None:
        """Runs the function; None from it means that the text was not understood.

        Raises:
            EvaluationFileError: the function failed, or did not return (slot, value) pairs.
        """
        try:
            frame = self.function(text, prompt)
        except Exception as error:
            message = f"{self.name}: understand({text!r}, {prompt!r}) failed: {error!r}"
            raise EvaluationFileError(message) from error
        if frame is None:
            return None
        try:
            return frame_meaning(msgspec.convert(frame, list[tuple[str, str]], strict=True))
        except msgspec.ValidationError as error:
            message = (
                f"{self.name}: understand({text!r}, {prompt!r}) must return a list of (slot, value) pairs"
            )
            raise EvaluationFileError(f"{message}: {error}") from error


def load_understanding(path: str | Path) -> Understanding:
    """Loads a program (`.py`, with a function `understand(text, prompt)`), or else a file of answers.

    A file of answers is JSON Lines, plain or gzipped: `{"text", "domain", "intent", "slots"}`. A program is
    run as it is, with the rights of the caller: load only your own.

    Raises:
        EvaluationFileError: neither of these.
        TurnFileError: the file cannot be read.
    """
    return _load_program(Path(path)) if Path(path).suffix == ".py" else _load_answers(path)


class _Answer(Struct):
    text: str
    intent: str | None
    domain: str | None = None
    slots: tuple[Slot, ...] = ()


def _load_answers(path: str | Path) -> AnswerFile:
    what = "an answer of the assistant (text, domain, intent, slots)"
    answers: dict[str, Meaning] = {}
    for number, answer in decoded_lines(path, msgspec.json.Decoder(_Answer).decode, what):
        meaning = nlu_meaning(answer.domain, answer.intent, answer.slots)
        if answers.setdefault(answer.text, meaning) != meaning:
            raise EvaluationFileError(
                f"{path}, line {number}: a second and different answer to {answer.text!r}; keep one of them"
            )
    return AnswerFile(answers)


def _load_program(path: Path) -> AnswerProgram:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise EvaluationFileError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise EvaluationFileError(f"cannot load {path}: {error!r}") from error
    function = getattr(module, "understand", None)
    if not callable(function):
        raise EvaluationFileError(f"{path} has no function understand(text, prompt)")
    return AnswerProgram(cast("Callable[[str, str], object]", function), str(path))


def _spoken_value(value: str) -> str:
    return " ".join(word for word in value.lower().split() if word not in SILENT_WORDS)
