"""The numbers behind a rewrite, in sentences that an operator can read out."""

from math import inf

from rewriting.table.occasion import ANY_KIND, TurnKind
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteStatus
from rewriting.table.rollback import ServedPair
from rewriting.table.row_change import ANY_TARGET

_STATUS_WORDS: dict[RewriteStatus, str] = {
    "candidate": "It is a candidate: not served.",
    "shadow": "It is on trial in the shadow: not served.",
    "live": "It is live: served to the assistant.",
    "blocked": "It is blocked: not served until somebody unblocks it.",
    "retired": "It is retired: no longer served.",
}
_KIND_WORDS: dict[TurnKind, str] = {
    "any": "",
    "opening": " when nothing was asked",
    "answer": " in answer to a question",
    "system": " in answer to what the assistant said unasked",
}
_METHOD_WORDS = {
    "chain": "It was learned from what users of such sessions went on to ask",
    "answer": "It was learned from what the assistant's answers to such requests confirmed",
    "rephrase": "It was learned from users saying the same in other words",
    "retrieval": "It was found among similar requests that had succeeded",
    "taught": "It was taught by somebody",
}


def explanation_words(rewrite: Rewrite) -> tuple[str, ...]:
    """Why this rewrite is there, how good it is, and whether it is served."""
    for_whom = "everybody" if rewrite.scope == GLOBAL else f"the user {rewrite.scope.removeprefix('user:')}"
    when = f" after the question “{rewrite.question}”" if rewrite.question else ""
    when += _KIND_WORDS[rewrite.turn_kind] + (f" in the locale {rewrite.locale}" if rewrite.locale else "")
    if rewrite.target_text == ANY_TARGET:
        words = [f"For {for_whom}, “{rewrite.source_text}”{when} is not rewritten."]
        if rewrite.status != "blocked":
            words = [f"For {for_whom}, “{rewrite.source_text}”{when} was not rewritten, and may be again."]
        return (*words, *_last_change(rewrite))
    runs = "could be run as" if rewrite.status == "candidate" else "is run as"
    after = "In these sessions, " if rewrite.method == "rephrase" else ""
    if rewrite.question:
        after = "After it, "
    words = [
        f"For {for_whom}, “{rewrite.source_text}”{when} {runs} “{rewrite.target_text}”.",
        f"{_METHOD_WORDS[rewrite.method]}: {_count(rewrite.sessions, 'session')} of "
        f"{_count(rewrite.users, 'user')}, score {rewrite.score:.2f} of 1.",
        f"{after}“{rewrite.source_text}” succeeded in "
        f"{_share(rewrite.source_success_rate, rewrite.source_count)}, "
        f"“{rewrite.target_text}” in {_share(rewrite.target_success_rate, rewrite.target_count)}.",
    ]
    if rewrite.failure_point is not None:
        words.append(f"What fails most often in the original is: {rewrite.failure_point}.")
    words.append(_status_words(rewrite))
    return (*words, *_last_change(rewrite))


def place_words(row: Rewrite | ServedPair) -> list[str]:
    """For which occasions a row holds, in a few words each; nothing for one that holds on all."""
    asked = [f"after {row.question!r}"] if row.question else []
    kind = [f"as {row.turn_kind}"] if row.turn_kind != ANY_KIND else []
    locale = [f"in {row.locale}"] if row.locale else []
    return [*asked, *kind, *locale]


def _status_words(rewrite: Rewrite) -> str:
    limits = rewrite.limits
    if rewrite.status != "live" or limits is None:
        return _STATUS_WORDS[rewrite.status]
    words = {
        inf: "It is live: served to the assistant, however surely a request was understood.",
        0: "It is live: served to the assistant for no request of which both confidences are known, or none.",
    }.get(
        limits.product,
        "It is live: served to the assistant only for requests understood with a confidence below "
        f"{limits.product:g}; one that comes without a confidence is left as it is.",
    )
    alone = [
        f"{_alone_words(limit)} where only the {whose} is known"
        for whose, limit in (("recogniser's", limits.asr), ("NLU's", limits.nlu))
        if limit != limits.product
    ]
    return f"{words} It is served {', and '.join(alone)}." if alone else words


def _alone_words(limit: float) -> str:
    if limit == inf:
        return "for any confidence"
    return f"for a confidence below {limit:g}" if limit > 0 else "for no confidence"


def _last_change(rewrite: Rewrite) -> list[str]:
    return [f"It last changed in version {rewrite.version}: {rewrite.reason}."] if rewrite.reason else []


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _share(rate: float, count: int) -> str:
    return f"{rate:.0%} of {_count(count, 'request')}"
