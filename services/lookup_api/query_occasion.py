"""The occasion of a query: what it says of the locale and the kind of its turn, or what follows from it."""

import msgspec

from rewriting.table.occasion import Occasion, kind_of, locale_fault
from services.lookup_api.messages import RewriteQuery
from services.lookup_api.online_request import question_asked


def query_occasion(query: RewriteQuery) -> Occasion:
    """The occasion on which a request came.

    Raises:
        msgspec.ValidationError: the locale is none, or `turn_kind` and `system_initiated` contradict each
            other; like those of decoding, it names the field.
    """
    check_locale(query.locale)
    kind, question = query.turn_kind, question_asked(query)
    if kind is None:
        kind = kind_of(question, system_initiated=bool(query.system_initiated))
    elif query.system_initiated is not None and query.system_initiated != (kind == "system"):
        said = "true" if query.system_initiated else "false"
        raise msgspec.ValidationError(
            f"turn_kind {kind!r} contradicts system_initiated {said}: send one of them - at `$.turn_kind`"
        )
    return Occasion(question=question, locale=query.locale, turn_kind=kind)


def check_locale(locale: str | None) -> None:
    """Refuses what is no locale.

    Raises:
        msgspec.ValidationError: it is none; it names the field `locale`.
    """
    if (fault := locale_fault(locale)) is not None:
        raise msgspec.ValidationError(f"locale {fault} - at `$.locale`")
