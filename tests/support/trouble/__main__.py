"""`python -m tests.support.trouble --out DIR`: writes each log, and what may be served after it."""

import argparse
import json
from pathlib import Path

from . import Asked, all_cases


def _shown(asked: Asked) -> dict[str, object]:
    given = {
        "text": asked.text,
        "locale": asked.locale,
        "prompt": asked.prompt,
        "confidence": asked.confidence,
    }
    wanted: dict[str, object] = {"nothing": True}
    if asked.must_be:
        wanted = {"must_be": sorted(asked.must_be)}
    elif asked.one_of_or_nothing:
        wanted = {"one_of_or_nothing": sorted(asked.one_of_or_nothing)}
    return {key: value for key, value in given.items() if value is not None} | wanted


def main() -> None:
    """Writes `NAME.jsonl` for each case, and `truth.json`."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.trouble", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the logs and truth.json")
    parser.add_argument("--only", default="", help="cases whose names begin like this, for example F-minus")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cases = [case for case in all_cases() if case.name.startswith(arguments.only)]
    truth = {}
    for case in cases:
        lines = (json.dumps(turn, ensure_ascii=False) for turn in case.turns)
        (arguments.out / f"{case.name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        truth[case.name] = {
            "class": case.letter,
            "language": case.language,
            "understanding": case.understanding,
            "harmful": case.harmful,
            "may_be_refused": case.may_be_refused,
            "asked": [_shown(asked) for asked in case.asked],
        }
    text = json.dumps(truth, ensure_ascii=False, indent=1)
    (arguments.out / "truth.json").write_text(text + "\n", encoding="utf-8")
    turns = sum(len(case.turns) for case in cases)
    print(f"{len(cases):,} logs with {turns:,} turns in {arguments.out}")


if __name__ == "__main__":
    main()
