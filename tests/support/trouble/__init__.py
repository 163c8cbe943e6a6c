"""Logs of trouble whose truth is known: what goes wrong in real logs, in many languages, made from nothing.

Each frame gives a harmful case, for which something must not be served, and a harmless twin with a true
correction, which must be. Nothing here knows the product: turns are plain dictionaries, as the contract has
them, and words come from lists of our own. All is drawn from the names of the cases, so that it is the same
everywhere.
"""

import functools

from . import meanings, odds, people, second_tries
from .case import Asked, Case, Turn, plain
from .scene import cases_of

__all__ = ["Asked", "Case", "Turn", "all_cases", "plain"]


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """All cases, harmful ones and twins; names are unique.

    Raises:
        ValueError: two cases have one name.
    """
    frames = (*second_tries.frames(), *meanings.frames(), *people.frames(), *odds.frames())
    cases = tuple(cases_of(frames))
    names = [case.name for case in cases]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(
            f"cases of one name: {sorted(doubled)}; give frames of one kind and language other kinds"
        )
    return cases
