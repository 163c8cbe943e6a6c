"""Another checkout as a learner of the closed loop, driven by its own commands."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.chains.step import CONFIDENCE_BANDS
from rewriting.table.rewrite import GLOBAL, Method, Rewrite, TableVersion, rewrite_id
from services.evaluation.errors import OtherCheckoutError
from services.evaluation.loop.learner import ServedTable
from services.settings import ENVIRONMENT_PREFIX
from streams.session import DEFAULT_GAP_MS
from streams.turn import AssistantId, Recognition, Request, TurnEvent, encode_turn

FEWEST_SAID = 2
"""Times that a text was said, to be asked for: no version of Rehear makes a row of what was said once."""

_SURE = (*(end - 0.01 for end in CONFIDENCE_BANDS), 0.99)
"""A confidence in each band."""

_NOT_NEEDED = ("--no-online", "--no-labels", "--no-failures", "--no-rephrases")


class _Schema(Struct, frozen=True):
    """What `rehear schema` says of a turn event."""

    properties: dict[str, msgspec.Raw]


class _Answer(Struct, frozen=True):
    """A line of `rehear rewrite`."""

    event_id: str
    rewrite: str | None
    method: Method | None
    score: float | None


class OtherCheckout:
    """The table of another checkout: `rehear learn` each night, `rehear rewrite` of what may have a row."""

    def __init__(self, name: str, checkout: Path, assistant_id: str, folder: Path) -> None:
        """Makes it.

        Args:
            name: as the report calls it.
            checkout: with the other version in its `.venv`.
            assistant_id: whose log it is.
            folder: for what it learns.

        Raises:
            OtherCheckoutError: there is no such command, or it does not work.
        """
        self._name = name
        self._command = (checkout / ".venv" / "bin" / "rehear").absolute()
        self._folder = folder / name
        self._state = self._folder / "state"
        self._folder.mkdir(parents=True)
        self._assistant_id = AssistantId(assistant_id)
        self._known_fields = frozenset(msgspec.json.decode(self._run("schema"), type=_Schema).properties)
        self._said: dict[str, int] = {}
        self._went_on: set[str] = set()
        self._version = TableVersion(0)
        self._like: TurnEvent | None = None

    @property
    def name(self) -> str:
        """As the report calls it."""
        return self._name

    def learn(self, day: int, turns: Sequence[TurnEvent]) -> None:
        """Has it learn from all turns of a day, in time order."""
        if not turns:
            return
        log = self._folder / f"day-{day:03d}.jsonl"
        log.write_bytes(b"".join(self._line(turn) for turn in turns))
        self._run("learn", "--turns", log, "--state", self._state, *_NOT_NEEDED)
        log.unlink()
        self._version = TableVersion(self._version + 1)
        self._like = turns[-1]
        last: dict[str, TurnEvent] = {}
        for turn in turns:
            text = turn.request.text
            self._said[text] = self._said.get(text, 0) + 1
            before = last.get(turn.user_id)
            if before is not None and turn.ts_ms - before.ts_ms <= DEFAULT_GAP_MS:
                self._went_on.add(before.request.text)
            last[turn.user_id] = turn

    def table(self) -> ServedTable:
        """What it serves from now on, as far as answers tell it: a row and the confidence up to which."""
        rows = [] if self._like is None else list(self._rows(self._like))
        return ServedTable.of(self._assistant_id, self._version, rows)

    def close(self) -> None:
        """Holds nothing."""

    def _rows(self, like: TurnEvent) -> Iterator[Rewrite]:
        texts = sorted(text for text in self._went_on if self._said[text] >= FEWEST_SAID)
        probes, answers = self._folder / "probes.jsonl", self._folder / "answers.jsonl"
        with probes.open("wb") as stream:
            for number, text in enumerate(texts):
                for band, sure in enumerate(_SURE):
                    stream.write(self._line(_probe(like, f"{number}-{band}", text, sure)))
        self._run("rewrite", "--turns", probes, "--state", self._state, "--out", answers)
        decoder = msgspec.json.Decoder(_Answer)
        found: dict[int, dict[int, _Answer]] = {}
        for line in answers.read_bytes().splitlines():
            answer = decoder.decode(line)
            if answer.rewrite is not None:
                name, _, in_band = answer.event_id.partition("-")
                found.setdefault(int(name), {})[int(in_band)] = answer
        for number, by_band in sorted(found.items()):
            highest = max(by_band)
            yield self._row(texts[number], by_band[highest], (*CONFIDENCE_BANDS, None)[highest])

    def _row(self, text: str, answer: _Answer, max_confidence: float | None) -> Rewrite:
        source, target = normalise(text), answer.rewrite or ""
        return Rewrite(
            rewrite_id=rewrite_id(self._assistant_id, GLOBAL, source),
            assistant_id=self._assistant_id,
            scope=GLOBAL,
            source_text=source,
            source_interpretation=None,
            target_text=target,
            target_interpretation=None,
            method=answer.method or "chain",
            max_confidence=max_confidence,
            score=answer.score or 0.0,
            sessions=0,
            users=0,
            source_success_rate=0.0,
            source_count=0,
            target_success_rate=0.0,
            target_count=0,
            failure_point=None,
            evidence=(),
        )

    def _line(self, turn: TurnEvent) -> bytes:
        """A turn as the other version reads it: without the fields that it does not know."""
        fields = msgspec.json.decode(encode_turn(turn), type=dict[str, msgspec.Raw])
        return (
            msgspec.json.encode({name: fields[name] for name in fields if name in self._known_fields}) + b"\n"
        )

    def _run(self, *arguments: str | Path) -> bytes:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONPATH" and not name.startswith(ENVIRONMENT_PREFIX)
        }
        told = f"{self._command} {arguments[0]}"
        try:
            done = subprocess.run(  # noqa: S603  the user names the checkout
                [self._command, *arguments],
                capture_output=True,
                cwd=self._folder,
                env=environment,
                check=False,
            )
        except OSError as error:
            raise OtherCheckoutError(
                f"{told} cannot be run: {error}. Install the checkout into its .venv, as `make install` does"
            ) from error
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
            raise OtherCheckoutError(f"{told} ended with status {done.returncode}: {' '.join(last)}")
        return done.stdout


def _probe(like: TurnEvent, name: str, text: str, sure: float) -> TurnEvent:
    """A request that nobody has made, as one of the log would be."""
    return TurnEvent(
        schema_version=1,
        event_id=name,
        assistant_id=like.assistant_id,
        user_id=f"probe-{name}",
        ts_ms=like.ts_ms,
        request=Request(text=text, asr=(Recognition(text=text, confidence=sure),)),
        locale=like.locale,
        device=like.device,
    )
