"""The names of the topics."""

import re
from collections.abc import Mapping
from typing import Self

from msgspec import Struct, structs

from streams.errors import KafkaSettingsError

_LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Topics(Struct, frozen=True, kw_only=True):
    """The names of the topics."""

    turns: str = "rehear.turns"
    sessions: str = "rehear.sessions"
    labels: str = "rehear.labels"
    failures: str = "rehear.failures"
    rewrites: str = "rehear.rewrites"
    dead_letters: str = "rehear.dead-letters"

    def __post_init__(self) -> None:
        names = self.all
        for name in names:
            if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
                raise KafkaSettingsError(
                    f"topic name {name!r}: Kafka allows 1 to 249 letters, digits, '.', '_' and '-'"
                )
        if len(set(names)) != len(names):
            raise KafkaSettingsError(f"two topics have the same name: {', '.join(sorted(names))}")

    @property
    def all(self) -> tuple[str, ...]:
        """Every name."""
        return structs.astuple(self)

    @classmethod
    def named(cls, prefix: str, overrides: Mapping[str, str] = {}) -> Self:
        """The topics under a prefix, some under names of their own.

        >>> Topics.named("dev.", {"turns": "dialogue-log"}).sessions
        'dev.sessions'
        """
        if unknown := set(overrides) - set(cls.__struct_fields__):
            raise KafkaSettingsError(
                f"no such topic: {', '.join(sorted(unknown))}; there are {', '.join(cls.__struct_fields__)}"
            )
        names = {field: prefix + field.replace("_", "-") for field in cls.__struct_fields__}
        return cls(**names | dict(overrides))
