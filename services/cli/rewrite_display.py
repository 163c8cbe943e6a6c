"""Rewrites as an operator sees them: in a table that fits the window, as JSON Lines, or one by one."""

from collections.abc import Collection, Iterator, Sequence

import msgspec
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from labeling.text.normalisation import normalise
from rewriting.table.confidence_limits import ANY, limit_words
from rewriting.table.occasion import ANY_KIND
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, Scope, user_of
from rewriting.table.rollback import ServedPair
from rewriting.table.row_change import ANY_TARGET
from services.lookup_api.routes.explanation import place_words

WIDE = 140
"""Columns of the window from which each field has one of its own. Below, source and target share one, one
over the other: at 80 columns some 30 are left for them beside the id, which stays whole to be copied."""


def with_text(rows: Sequence[Rewrite], text: str) -> list[Rewrite]:
    """The rows with these words, in this order, somewhere in their source or target.

    Case, punctuation and spacing do not matter; a text without a letter or digit is looked for as it is.
    """
    words = normalise(text)
    if not words:
        return [row for row in rows if text in row.target_text]
    return [row for row in rows if words in row.source_text or words in normalise(row.target_text)]


def json_line(row: Rewrite, held: bool | None) -> bytes:
    """The whole row as JSON, without a line's end; `held` is null where it is not known."""
    return msgspec.json.encode(msgspec.structs.asdict(row) | {"held": held})


def print_rewrites(rows: Sequence[Rewrite], held: Collection[RewriteId], title: str, caption: str) -> None:
    """Prints a table to standard output, as wide as the window, or 80 columns where there is none."""
    console = Console()
    shown = Table(
        title=Text(title),
        caption=Text(caption) if caption else None,
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    if console.width < WIDE:
        _fill_narrow(shown, rows, held)
    else:
        _fill_wide(shown, rows, held)
    console.print(shown)


def pair_lines(pairs: Sequence[ServedPair], limit: int) -> Iterator[str]:
    """A line for each of the first pairs, and one that counts the others."""
    for pair in pairs[:limit]:
        when = "".join(f" {words}" for words in place_words(pair))
        guard = _guard(pair)
        whom = "" if pair.scope == GLOBAL else f", for {_whom(pair.scope)}"
        yield f"  {pair.rewrite_id}  {pair.source_text!r}{when} -> {pair.target_text!r}{guard}{whom}"
    if len(pairs) > limit:
        yield f"  and {len(pairs) - limit:,} more: --limit says how many are listed"


def target_words(row: Rewrite) -> str:
    """The target, or what stands for one in the block of a text."""
    return "anything" if row.target_text == ANY_TARGET else row.target_text


def _fill_wide(shown: Table, rows: Sequence[Rewrite], held: Collection[RewriteId]) -> None:
    asked = ["after"] if any(row.question for row in rows) else []
    kinds = ["turn"] if any(row.turn_kind != ANY_KIND for row in rows) else []
    locales = ["locale"] if any(row.locale for row in rows) else []
    personal = ["for"] if any(row.scope != GLOBAL for row in rows) else []
    texts = (*personal, *asked, *kinds, *locales, "source", "target")
    for column in ("id", *texts, "confidence", "score", "sessions", "users", "status"):
        justify: JustifyMethod = "right" if column in ("score", "sessions", "users") else "left"
        shown.add_column(column, overflow="fold", no_wrap=column not in texts, justify=justify)
    for row in rows:
        cells = [
            row.rewrite_id,
            *[_whom(row.scope)] * len(personal),
            *[row.question or "anything"] * len(asked),
            *[row.turn_kind] * len(kinds),
            *[row.locale or "any"] * len(locales),
            row.source_text,
            target_words(row),
            limit_words(row.limits),
            f"{row.score:.2f}",
            str(row.sessions),
            str(row.users),
            _status(row, held),
        ]
        shown.add_row(*map(Text, cells))


def _fill_narrow(shown: Table, rows: Sequence[Rewrite], held: Collection[RewriteId]) -> None:
    for column in ("id", "rewrite", "sessions", "status"):
        justify: JustifyMethod = "right" if column == "sessions" else "left"
        shown.add_column(column, overflow="fold", no_wrap=column != "rewrite", justify=justify)
    for row in rows:
        when = place_words(row)
        whom = [f"for {_whom(row.scope)}"] if row.scope != GLOBAL else []
        guard = "" if row.limits is None else f" ({limit_words(row.limits)})"
        lines = [", ".join(whom + when)] if whom or when else []
        lines += [row.source_text, f"-> {target_words(row)}{guard}"]
        cells = (row.rewrite_id, "\n".join(lines), str(row.sessions), _status(row, held))
        shown.add_row(*map(Text, cells))


def _status(row: Rewrite, held: Collection[RewriteId]) -> str:
    return f"{row.status}, held" if row.rewrite_id in held else row.status


def _guard(pair: ServedPair) -> str:
    words = limit_words(pair.limits)
    if words == ANY:
        return ""
    below = words.removeprefix("< ")
    return f", with a confidence of {words}" if below == words else f", below a confidence of {below}"


def _whom(scope: Scope) -> str:
    return "everybody" if scope == GLOBAL else f"user {user_of(scope)}"
