"""What must never be rewritten, and what must still be: small logs of trouble, learned and asked.

Each case is a log whose truth is known (`tests/support/trouble`, and `../shared/cases/field` where it is
there), learned as `rehear learn --no-rephrases --no-labels --no-failures --no-online` learns, and asked as
`rehear rewrite` asks. Harmful cases must not serve what their users did not mean; their harmless twins have a
true correction, which must be served.
"""

import json
from collections import Counter
from pathlib import Path

import forked
import pytest
from field_cases import FIELD, field_cases, strewn, times_over, unlisted
from trouble import Case, all_cases
from trouble_served import (
    Key,
    Served,
    asking_turns,
    served_after,
    served_after_each,
    write_lines,
    wrongly_served,
)

from services.simulator import SimulationSettings, simulate
from streams.turn import encode_turn

CASES = all_cases()
FIELD_CASES = field_cases()
TEN_TIMES = tuple(times_over(case) for case in FIELD_CASES)

KEPT = 0.95
"""Least share of the harmless twins that is served."""

SIMULATED = SimulationSettings(seed=15, users=300, days=30, test_days=0)
"""Some 50,000 turns."""

field_is_there = pytest.mark.skipif(not FIELD.is_dir(), reason="../shared/cases/field is not there")


class _Learned:
    """What is served after the logs of the cases of this run, learned when first asked for."""

    def __init__(self, cases: dict[str, Case], folder: Path) -> None:
        self._cases = cases
        self._folder = folder
        self._served: dict[Key, str | None] | None = None

    @property
    def served(self) -> Served:
        if self._served is None:
            self._served = dict(served_after_each(tuple(self._cases.values()), self._folder))
        return self._served

    def wrong(self, case: Case) -> list[str]:
        return wrongly_served(case, self.served)


@pytest.fixture(scope="module")
def logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Learned:
    """The cases that this run tests: all where the summary is among the tests."""
    tests = [item for item in request.session.items if item.path == Path(__file__)]
    chosen: dict[str, Case] = {}
    for item in tests:
        case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
        if isinstance(case, Case) and "logs" in getattr(item, "fixturenames", ()):
            chosen[case.name] = case
    if any(item.name == SUMMARY for item in tests):
        chosen |= {case.name: case for case in CASES}
    return _Learned(chosen, tmp_path_factory.mktemp("trouble"))


def names(cases: tuple[Case, ...]) -> list[str]:
    return [case.name for case in cases]


HARMFUL = tuple(case for case in CASES if case.harmful)
TWINS = tuple(case for case in CASES if not case.harmful)


@pytest.mark.parametrize("case", HARMFUL, ids=names(HARMFUL))
def test_nothing_is_served_that_the_users_did_not_mean(case: Case, logs: _Learned) -> None:
    assert logs.wrong(case) == []


@pytest.mark.parametrize("case", TWINS, ids=names(TWINS))
def test_a_true_correction_is_served(case: Case, logs: _Learned) -> None:
    assert logs.wrong(case) == []


def test_all_harm_is_refused_and_of_each_twenty_twins_nineteen_are_kept(logs: _Learned) -> None:
    wrong = {case.name: lines for case in CASES if (lines := logs.wrong(case))}
    harmful = Counter(case.letter for case in HARMFUL)
    served = [case for case in HARMFUL if case.name in wrong]
    lost = [case for case in TWINS if case.name in wrong]
    by_class = "\n".join(
        f"{letter}: {sum(case.letter == letter for case in served)} of {harmful[letter]} harmful served, "
        f"{sum(case.letter == letter for case in lost)} of {sum(case.letter == letter for case in TWINS)} "
        "twins lost"
        for letter in sorted(harmful)
    )
    in_words = "\n".join(f"{name}: {'; '.join(lines)}" for name, lines in wrong.items())
    assert not served, f"{by_class}\n{in_words}"
    assert 1 - len(lost) / len(TWINS) >= KEPT, f"{by_class}\n{in_words}"


SUMMARY = test_all_harm_is_refused_and_of_each_twenty_twins_nineteen_are_kept.__name__


@field_is_there
def test_all_logs_of_the_field_are_asked() -> None:
    assert unlisted() == set()


@pytest.mark.parametrize("case", FIELD_CASES, ids=names(FIELD_CASES))
def test_a_case_from_the_field_holds(case: Case, logs: _Learned) -> None:
    assert logs.wrong(case) == []


@pytest.mark.parametrize("case", TEN_TIMES, ids=names(TEN_TIMES))
def test_a_case_from_the_field_holds_ten_times_over(case: Case, logs: _Learned) -> None:
    assert logs.wrong(case) == []


@pytest.fixture(scope="module")
def strewn_served(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Case], Served]:
    """All cases of the field in one log of a simulated assistant, ten times over."""
    folder = tmp_path_factory.mktemp("strewn")
    simulated = [turn.event for turn in simulate(SIMULATED)]
    assert len(simulated) >= 50_000
    log = folder / "simulated.jsonl"
    log.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in simulated))
    start_ms, end_ms = simulated[0].ts_ms, simulated[-1].ts_ms
    cases = {
        case.name: strewn(many, SIMULATED.assistant_id, start_ms, end_ms)
        for case, many in zip(FIELD_CASES, TEN_TIMES, strict=True)
    }
    served = served_after(
        tuple(cases.values()), folder / "learned", beside=[log], assistant_id=SIMULATED.assistant_id
    )
    return cases, served


STREWN = tuple(case.name for case in FIELD_CASES)


@pytest.mark.slow
@pytest.mark.parametrize("name", STREWN)
def test_a_case_from_the_field_holds_strewn_into_a_large_log(
    name: str, strewn_served: tuple[dict[str, Case], Served]
) -> None:
    cases, served = strewn_served
    assert wrongly_served(cases[name], served) == []


def by_command_line(case: Case, folder: Path) -> Served:
    """What `rehear learn` and `rehear rewrite` answer, as processes of their own."""
    log = write_lines(folder / "turns.jsonl", case.turns)
    asking = write_lines(folder / "asked.jsonl", asking_turns(case))
    answers = folder / "answers.jsonl"
    switches = [f"--no-{kind}" for kind in ("rephrases", "labels", "failures", "online")]
    forked.rehear("learn", "--turns", log, "--state", folder / "state", *switches)
    forked.rehear("rewrite", "--turns", asking, "--state", folder / "state", "--out", answers)
    lines = map(json.loads, answers.read_text(encoding="utf-8").splitlines())
    return {(case.name, number): line["rewrite"] for number, line in enumerate(lines)}


BY_COMMAND_LINE = tuple(
    next(case for case in CASES if case.name.startswith(start) and case.harmful == harmful)
    for start, harmful in (("B-opposites-de", True), ("C-giving-up-fr", True), ("F-minus-en", False))
)


@pytest.mark.slow
@pytest.mark.parametrize("case", BY_COMMAND_LINE, ids=names(BY_COMMAND_LINE))
def test_the_command_line_serves_the_same(case: Case, tmp_path: Path) -> None:
    assert wrongly_served(case, by_command_line(case, tmp_path)) == []
