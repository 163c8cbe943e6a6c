"""Options that are made of other things: of what several commands share, or of a registry."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

T = TypeVar("T")

Command = Callable[..., None]


def with_options_of(shared: Callable[..., T]) -> Callable[[Command], Command]:
    """A decorator: the command gets what `shared` makes of its own options as its first argument.

    Args:
        shared: its parameters become the first options of the command.
    """
    given = list(inspect.signature(shared).parameters.values())

    def decorate(command: Command) -> Command:
        own = list(inspect.signature(command).parameters.values())[1:]

        @wraps(command)
        def with_shared(**options: Any) -> None:
            first = shared(**{parameter.name: options.pop(parameter.name) for parameter in given})
            command(first, **options)

        return _taking(with_shared, [*given, *own])

    return decorate


def with_switches(switches: Iterable[tuple[str, str]]) -> Callable[[Command], Command]:
    """A decorator: the command gets the values of switches, which are on by default, by their names.

    They stand before the command's keyword options.

    Args:
        switches: the name and the help of each.
    """
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=True,
            annotation=Annotated[bool, typer.Option(help=text)],
        )
        for name, text in switches
    ]

    def decorate(command: Command) -> Command:
        own = [one for one in inspect.signature(command).parameters.values() if one.kind != one.VAR_KEYWORD]
        n_first = sum(one.kind != one.KEYWORD_ONLY for one in own)

        @wraps(command)
        def switched(**options: Any) -> None:
            command(**options)

        return _taking(switched, [*own[:n_first], *added, *own[n_first:]])

    return decorate


def _taking(command: Command, parameters: Sequence[inspect.Parameter]) -> Command:
    """The command, with these parameters as Typer sees them."""
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    command.__annotations__ = {one.name: one.annotation for one in keywords}
    command.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    return command
