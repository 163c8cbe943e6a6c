"""Variants of rewriting: each lacks one part of the system, or is a baseline, and is made as the system is.

How sure a variant must be is set on the held-back days of the training log, as it is for the system itself.
Where these days do not show the wanted win/loss, a variant's gates let nothing pass, and it is left with what
the table knows.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct
from rich.progress import Progress

from rewriting.encoders.text_encoder import TextEncoder
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.examples import RankExample
from rewriting.ranking.features import Group
from rewriting.ranking.gates import CLOSED, RewriteGates, choose_gates
from rewriting.ranking.ranker import Ranker
from rewriting.ranking.settings import RankerSettings
from rewriting.ranking.training import held_back_days, held_back_from_ms, ranker_gates
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import GLOBAL
from services.evaluation.common.vector_memory import VectorMemory
from services.evaluation.rewrites.learned_assistant import LearnedAssistant, OnlineVariant
from services.evaluation.rewrites.nearest_request import (
    EditNearness,
    KnownRequest,
    MakeNearness,
    NearestRequest,
    VectorNearness,
    WordNearness,
    known_requests,
    nearness_gates,
)
from services.evaluation.rewrites.simple_judges import SimilarityJudge, UngatedJudge
from services.jobs.ranker import learn_ranker, ranker_examples
from services.jobs.served_layers import OnlineLayer
from services.settings import Settings

ALL_LAYERS = "all layers"
GLOBAL_ALONE = "global layer alone"
NO_CONTEXT = "no context"
NO_PHONETICS = "no phonetics"
NO_VECTORS = "no vectors"
NO_RANKER = "no ranker"
UNGATED = "no gates"
TABLE_ALONE = "table alone"
NEAREST_EDIT = "nearest by edit distance"
NEAREST_WORDS = "nearest by BM25"
NEAREST_UNTRAINED = "nearest by untrained encoder"

VARIANTS = (ALL_LAYERS, GLOBAL_ALONE, NO_CONTEXT, NO_PHONETICS, NO_VECTORS, NO_RANKER, UNGATED, TABLE_ALONE)
NEAREST = (NEAREST_EDIT, NEAREST_WORDS, NEAREST_UNTRAINED)
"""Names, in the order of the report."""


class Variant(Struct, frozen=True, kw_only=True):
    """What rewrites the requests of one assistant in one variant."""

    name: str
    table: LookupTable
    online: OnlineLayer | None  # None: the table answers alone


class AblationSettings(Struct, frozen=True):
    """How the variants are made: as the state was, but for the wanted win/loss if one is given."""

    settings: Settings
    win_loss: float | None = None  # None: as the state was made; the system is then served as it is

    @property
    def ranker(self) -> RankerSettings:
        """How rankers are trained."""
        ranker = self.settings.ranker
        return ranker if self.win_loss is None else msgspec.structs.replace(ranker, win_loss=self.win_loss)

    @property
    def candidates(self) -> CandidateSettings:
        """Which candidates the system looks at."""
        return self.settings.online.candidates


def make_variants(
    learned: LearnedAssistant, settings: AblationSettings, progress: Progress | None = None
) -> Iterator[Variant]:
    """All variants and baselines of one assistant; nothing but the state is looked at.

    Examples with the same candidates are made once, and given up before the next are made.

    Args:
        learned: what the state holds of it.
        settings: of the training.
        progress: shows how far it is.
    """
    table = learned.table()
    yield Variant(name=TABLE_ALONE, table=table, online=None)
    examples = _examples(learned, settings.candidates, settings, progress, ALL_LAYERS)
    held_back_ms = held_back_from_ms(examples, settings.ranker) if examples else 0.0
    late = [example for example in examples if example.ts_ms >= held_back_ms]
    ranker = _system_ranker(learned, examples, late, settings, progress)
    yield Variant(name=ALL_LAYERS, table=table, online=learned.online(ranker))
    ungated = None if ranker is None else UngatedJudge(ranker)
    yield Variant(name=UNGATED, table=table, online=learned.online(ungated))
    nearest = SimilarityJudge(_similarity_gates(late, learned, settings))
    yield Variant(name=NO_RANKER, table=table, online=learned.online(nearest))

    def trained(name: str, left_out: Group) -> Ranker | None:
        known = settings.ranker
        without = msgspec.structs.replace(known, left_out=tuple(dict.fromkeys((*known.left_out, left_out))))
        made = learn_ranker(examples, learned.silent, without, progress, f"ranker, {name}", learned.guard)
        return None if made is None else made.ranker

    without_answers = learned.table(lambda row: not row.question)
    ranker = trained(NO_CONTEXT, Group.CONTEXT)
    yield Variant(name=NO_CONTEXT, table=without_answers, online=learned.online(ranker))
    ranker = trained(NO_PHONETICS, Group.PHONETICS)
    yield Variant(name=NO_PHONETICS, table=table, online=learned.online(ranker))

    of_everybody = msgspec.structs.replace(settings.candidates, uses_history=False)
    examples = _examples(learned, of_everybody, settings, progress, GLOBAL_ALONE)
    ranker = trained(GLOBAL_ALONE, Group.PERSONAL)
    yield Variant(
        name=GLOBAL_ALONE,
        table=learned.table(lambda row: row.scope == GLOBAL),
        online=learned.online(ranker, of_everybody),
    )

    without_index = msgspec.structs.replace(settings.candidates, uses_index=False)
    examples = _examples(learned, without_index, settings, progress, NO_VECTORS)
    ranker = trained(NO_VECTORS, Group.VECTOR)
    yield Variant(name=NO_VECTORS, table=table, online=learned.online(ranker, without_index))
    examples = []
    yield from _baselines(learned, settings, held_back_ms, progress)


def _examples(
    learned: LearnedAssistant,
    candidates: CandidateSettings,
    settings: AblationSettings,
    progress: Progress | None,
    name: str,
) -> list[RankExample]:
    return ranker_examples(
        learned.sessions, learned.encoder, candidates, settings.ranker, progress, f"examples, {name}"
    )


def _system_ranker(
    learned: LearnedAssistant,
    examples: Sequence[RankExample],
    late: Sequence[RankExample],
    settings: AblationSettings,
    progress: Progress | None,
) -> Ranker | None:
    """The ranker of the state; with gates of its own for another win/loss; else one that is trained anew."""
    if learned.ranker is None:  # without gates, it may show what the closed ones spared users
        made = learn_ranker(
            examples, learned.silent, settings.ranker, progress, f"ranker, {ALL_LAYERS}", learned.guard
        )
        return None if made is None else made.ranker
    if settings.win_loss is None or not late:
        return learned.ranker
    return learned.ranker.with_gates(ranker_gates(learned.ranker, late, settings.win_loss, learned.guard))


def _similarity_gates(
    late: Sequence[RankExample], learned: LearnedAssistant, settings: AblationSettings
) -> RewriteGates:
    if not late:
        return CLOSED
    judge = SimilarityJudge(CLOSED)
    judged = [judge.judge(one.request, one.features) for one in late]
    return choose_gates(
        held_back_days(judged, late, learned.silent, learned.guard), learned.silent, settings.ranker.win_loss
    )


def _baselines(
    learned: LearnedAssistant, settings: AblationSettings, held_back_ms: float, progress: Progress | None
) -> Iterator[Variant]:
    """The nearest known request, near by letters, by words, or by vectors that were not trained."""
    makes: dict[str, MakeNearness] = {NEAREST_EDIT: EditNearness, NEAREST_WORDS: WordNearness}
    untrained = _untrained_encoder(settings.settings)
    if untrained is not None:
        makes[NEAREST_UNTRAINED] = partial(VectorNearness, encoder=untrained)
    known = known_requests(learned.sessions, settings.candidates.min_users)
    empty = LookupTable.empty(learned.assistant_id)
    bar = progress.add_task("baselines", total=len(makes)) if progress else None
    for name, make in makes.items():
        online = _nearest(learned, settings, held_back_ms, known, make)
        yield Variant(name=name, table=empty, online=online)
        if progress and bar is not None:
            progress.advance(bar)


def _nearest(
    learned: LearnedAssistant,
    settings: AblationSettings,
    held_back_ms: float,
    known: Sequence[KnownRequest],
    make: MakeNearness,
) -> OnlineLayer | None:
    gates = nearness_gates(
        learned.sessions,
        held_back_ms,
        settings.candidates.min_users,
        make,
        learned.silent,
        settings.ranker.win_loss,
    )
    if not known or not gates.are_open:
        return None
    return OnlineVariant(NearestRequest(known, make, gates))


def _untrained_encoder(settings: Settings) -> VectorMemory | None:
    """The whole base as it is before any training; None without the packages that can export it."""
    if importlib.util.find_spec("torch") is None:
        return None
    from rewriting.encoders.export import export_encoder

    with TemporaryDirectory() as folder:
        export_encoder(settings.encoder.base, Path(folder) / "encoder")
        return VectorMemory(TextEncoder.load(Path(folder) / "encoder"))
