"""Current models: of one kind, the model that is in use of each assistant."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Engine

from labeling.errors import ArtifactError
from labeling.models.in_use import current_models, model_folder
from services.session_models.kind import SessionModelKind
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()

M = TypeVar("M")

MOST_MODELS = 4
"""In memory, 25 to 90 MB each. Lowered, they are loaded again where there are many assistants."""


class CurrentModels(Generic[M]):
    """The models that are in use, loaded when they are first asked for."""

    def __init__(
        self,
        engine: Engine,
        state: Path,
        kind: SessionModelKind[M, Any],
        load: Callable[[Path], M] | None = None,
    ) -> None:
        """Makes it; nothing is loaded yet.

        Args:
            engine: of the database, which names the models.
            state: the folder that they lie in, by assistant.
            kind: of the models.
            load: loads one from its folder; None: as the kind does.
        """
        self._engine = engine
        self._state = state
        self._kind = kind
        self._load = load or kind.load
        self._loaded: OrderedDict[Path, M] = OrderedDict()  # the one used last at the end
        self._said: set[Path] = set()  # models of which the log tells already that they are no use

    def of(self, assistant_id: AssistantId) -> tuple[str, M] | None:
        """The model of an assistant, with its name; None where there is none, or none that can be used."""
        with reading(self._engine) as connection:
            name = current_models(connection, assistant_id).get(self._kind.artifact)
        if name is None:
            return None
        folder = model_folder(self._state, assistant_id) / name
        if folder in self._loaded:
            self._loaded.move_to_end(folder)
            return name, self._loaded[folder]
        try:
            model = self._load(folder)
        except (ArtifactError, OSError) as error:
            if folder not in self._said:
                log.error(
                    f"the model cannot be used: {self._kind.without} until it can",
                    assistant_id=assistant_id,
                    error=str(error),
                )
            self._said.add(folder)
            return None
        self._said.discard(folder)
        self._loaded[folder] = model
        if len(self._loaded) > MOST_MODELS:
            self._loaded.popitem(last=False)
        return name, model


def model_in_use(
    engine: Engine, settings: Settings, kind: SessionModelKind[M, Any], assistant_id: AssistantId
) -> M | None:
    """The model of an assistant, for one job; None where there is none, or none that can be used."""
    found = CurrentModels(engine, settings.state_folder, kind).of(assistant_id)
    return None if found is None else found[1]
