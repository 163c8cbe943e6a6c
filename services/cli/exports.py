"""Exports: what models say of the turns of a log, to files, for a team's own training and analyses."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from services.cli.jobs import output_stream, progress_bars
from services.cli.options import SettingsOption, StateOption, TurnsOption, require_state, settings_of
from services.cli.shared_options import with_options_of
from services.cli.turn_exports import (
    MinConfidenceOption,
    OutOption,
    TurnExport,
    log_answers,
    write_turn_export,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failure_isolation.turn_failure import TurnFailure
    from labeling.labels.turn_label import TurnLabel
    from rewriting.evidence.rephrase_link import Rephrase, RephraseLink
    from streams.session import Session
    from streams.turn import EventId
    from streams.verdict import JudgedTurn


def register(app: typer.Typer) -> None:
    """Adds the commands to `rehear`."""
    app.command("rephrases")(rephrases_command)
    app.command("label")(label_command)
    app.command("isolate")(isolate_command)


def rephrases_command(
    turns: TurnsOption,
    out: OutOption,
    state: StateOption = None,
    settings: SettingsOption = None,
) -> None:
    """Find out which later request of a log rephrases which earlier one.

    A line for each turn: `event_id`, `rephrase_of` (the turn that it rephrases, or null) and `score`, the
    probability that it rephrases one. Later turns may tell: this is for labelling a log, not for answering.

    Example: `rehear rephrases --state state --turns test.jsonl.gz --out rephrases.jsonl`
    """
    from rewriting.evidence.rephrase_link import rephrases_of
    from services.platform.database import open_database
    from services.session_models.rephrases.kind import KIND

    chosen = settings_of(settings, state)
    require_state(chosen)
    engine = open_database(chosen.database_location)
    threshold, points_at = chosen.rephrases.threshold, chosen.rephrases.points_at

    def said(session: "Session", links: "list[RephraseLink]") -> "Iterator[tuple[EventId, Rephrase]]":
        for one in rephrases_of(session, links, threshold, points_at):
            yield one.event_id, one

    with progress_bars() as progress:
        found = list(log_answers(KIND, engine, chosen, turns, progress, said))
    with output_stream(out) as stream:  # not before all is found: an error leaves an earlier file as it was
        stream.writelines(msgspec.json.encode(one) + b"\n" for one in found)
    n_found = sum(one.rephrase_of is not None for one in found)
    typer.echo(f"{n_found:,} of {len(found):,} turns rephrase an earlier one", err=True)


@with_options_of(TurnExport)
def label_command(
    export: TurnExport,
    min_confidence: MinConfidenceOption = 0.0,
    without_abstained: Annotated[
        bool,
        typer.Option("--without-abstained", help="Leave out labels below the precision of the settings."),
    ] = False,
) -> None:
    """Label the turns of a log: goals and their success, defects, satisfaction, domains, intents and slots.

    JSON Lines hold a line for each turn, in the order of the log; Parquet also holds the turns, and
    `datasets.load_dataset("parquet", data_files=FILE)` reads it unchanged. A label that is left out, or that
    was not trained, is null. Later turns may tell: this is for labelling a log, not for answering.

    Example: `rehear label --state state --turns july.jsonl.gz --out labels.parquet --without-abstained`
    """
    from labeling.labels.given_labels import without_unsure
    from services.session_models.labels.kind import KIND

    seen = _SeenLabels()

    def keep(one: "JudgedTurn[TurnLabel]") -> "JudgedTurn[TurnLabel]":
        seen.add(one.verdict)
        kept = without_unsure(one.verdict, min_confidence=min_confidence, abstained_too=not without_abstained)
        return msgspec.structs.replace(one, verdict=kept)

    write_turn_export(KIND, export, keep)
    typer.echo(seen.in_words, err=True)


@with_options_of(TurnExport)
def isolate_command(
    export: TurnExport,
    min_confidence: MinConfidenceOption = 0.0,
    without_abstained: Annotated[
        bool,
        typer.Option("--without-abstained", help="Leave out turns on which the model abstains."),
    ] = False,
) -> None:
    """Isolate where the turns of a log failed: false_wake, asr, nlu, entity_resolution, result; or correct.

    JSON Lines hold a line for each turn, in the order of the log; Parquet also holds the turns. A failure
    point is the earliest stage that failed and was not made good; later turns may tell.

    Example: `rehear isolate --state state --turns july.jsonl.gz --out failures.jsonl`
    """
    from services.session_models.failures.kind import KIND

    seen = _SeenFailures()

    def keep(one: "JudgedTurn[TurnFailure]") -> "JudgedTurn[TurnFailure] | None":
        seen.add(one.verdict)
        is_left_out = one.verdict.confidence < min_confidence or (without_abstained and one.verdict.abstains)
        return None if is_left_out else one

    write_turn_export(KIND, export, keep)
    typer.echo(seen.in_words, err=True)


class _SeenLabels:
    """Counts labels as they pass by."""

    def __init__(self) -> None:
        self._turns = 0
        self._goals = 0
        self._given: set[str] = set()

    def add(self, label: "TurnLabel") -> None:
        """Counts the labels of one turn."""
        from labeling.labels.given_labels import FIELDS_OF, given_labels

        self._turns += 1
        self._goals += label.goal_start
        if len(self._given) < len(FIELDS_OF):
            self._given |= given_labels(label)

    @property
    def in_words(self) -> str:
        """One line for people."""
        from labeling.labels.given_labels import FIELDS_OF

        missing = [name for name in FIELDS_OF if name not in self._given]
        said = f"{self._turns:,} turns labelled, {self._goals:,} goals"
        if missing and self._turns:
            said += f"; not given, since neither the log nor annotations taught them: {', '.join(missing)}"
        return said


class _SeenFailures:
    """Counts failure points as they pass by."""

    def __init__(self) -> None:
        self._points: Counter[str] = Counter()
        self._abstained = 0

    def add(self, failure: "TurnFailure") -> None:
        """Counts the failure point of one turn."""
        self._points[failure.failure_point] += 1
        self._abstained += failure.abstains

    @property
    def in_words(self) -> str:
        """One line for people."""
        from failure_isolation.rule import FAILURE_POINTS

        shown = ", ".join(f"{self._points[point]:,} {point}" for point in FAILURE_POINTS)
        return f"{self._points.total():,} turns: {shown}; {self._abstained:,} abstained from"
