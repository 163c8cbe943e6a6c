"""Models in use: of each kind, the artifact that an assistant uses, by its name in a folder of its own."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from sqlalchemy import BigInteger, Column, Connection, String, Text, delete, select

from labeling.errors import ArtifactError
from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import upsert
from streams.turn import AssistantId

log = structlog.get_logger()

M = TypeVar("M")

ModelKind = str
"""What a model is for: `encoder`, `pair` and `ranker` of online rewriting, or a kind of session model."""

ONLINE_MODEL = assistant_table(
    "online_model",
    Column("kind", String(20), primary_key=True),  # a ModelKind
    Column("name", Text, nullable=False),  # of the artifact, in `model_folder`
    Column("changed_ms", BigInteger, nullable=False),
)


MOST_LOADED = 4
"""Models of one kind in memory, 25 to 90 MB each. Lowered, they are loaded again where there are many
assistants."""


class LoadedModels(Generic[M]):
    """Models of one kind, loaded when they are first asked for; those that were asked for last are kept.

    Args:
        load: loads one from its folder.
        trouble: what the log says of one that cannot be used, once until it can.
    """

    def __init__(self, load: Callable[[Path], M], trouble: str) -> None:
        self._load = load
        self._trouble = trouble
        self._loaded: OrderedDict[Path, M] = OrderedDict()  # the one used last at the end
        self._said: set[Path] = set()  # models of which the log tells already

    def of(self, assistant_id: AssistantId, folder: Path) -> M | None:
        """The model of an assistant in a folder; None where it cannot be used."""
        if folder not in self._loaded:
            try:
                self._loaded[folder] = self._load(folder)
            except (ArtifactError, OSError) as error:
                if folder not in self._said:
                    log.error(self._trouble, assistant_id=assistant_id, error=str(error))
                self._said.add(folder)
                return None
            self._said.discard(folder)
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(folder)
        return self._loaded[folder]


def set_models(
    connection: Connection, assistant_id: AssistantId, models: Mapping[ModelKind, str], now_ms: int
) -> None:
    """Names the models that are used from now on; kinds that are not given stay as they are.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose models.
        models: by kind the name of the artifact, which lies in `model_folder` already.
        now_ms: milliseconds since 1970.
    """
    rows = [
        {"assistant_id": assistant_id, "kind": kind, "name": name, "changed_ms": now_ms}
        for kind, name in sorted(models.items())
    ]
    upsert(connection, ONLINE_MODEL, rows)


def drop_model(connection: Connection, assistant_id: AssistantId, kind: ModelKind) -> None:
    """Uses no model of a kind any more."""
    connection.execute(
        delete(ONLINE_MODEL).where(ONLINE_MODEL.c.assistant_id == assistant_id, ONLINE_MODEL.c.kind == kind)
    )


def current_models(connection: Connection, assistant_id: AssistantId) -> dict[ModelKind, str]:
    """By kind the name of the artifact in use; without the kinds of which there is none."""
    query = select(ONLINE_MODEL.c.kind, ONLINE_MODEL.c.name).where(
        ONLINE_MODEL.c.assistant_id == assistant_id
    )
    return {kind: name for kind, name in connection.execute(query)}


def current_encoders(connection: Connection) -> dict[AssistantId, str]:
    """The name of the text encoder of each assistant that has one, sorted by assistant."""
    query = (
        select(ONLINE_MODEL.c.assistant_id, ONLINE_MODEL.c.name)
        .where(ONLINE_MODEL.c.kind == "encoder")
        .order_by(ONLINE_MODEL.c.assistant_id)
    )
    return {AssistantId(assistant_id): name for assistant_id, name in connection.execute(query)}


def model_folder(state: Path, assistant_id: AssistantId) -> Path:
    """Where the models of an assistant lie, whatever characters its id has."""
    return state / "models" / hashlib.blake2b(assistant_id.encode(), digest_size=8).hexdigest()
