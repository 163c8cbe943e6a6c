"""Current models: of one kind, the model that is in use of each assistant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Engine

from labeling.models.in_use import LoadedModels, current_models, model_folder
from services.session_models.kind import SessionModelKind
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId

M = TypeVar("M")


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
        trouble = f"the model cannot be used: {kind.without} until it can"
        self._loaded = LoadedModels(load or kind.load, trouble)

    def of(self, assistant_id: AssistantId) -> tuple[str, M] | None:
        """The model of an assistant, with its name; None where there is none, or none that can be used."""
        with reading(self._engine) as connection:
            name = current_models(connection, assistant_id).get(self._kind.artifact)
        if name is None:
            return None
        model = self._loaded.of(assistant_id, model_folder(self._state, assistant_id) / name)
        return None if model is None else (name, model)


def model_in_use(
    engine: Engine, settings: Settings, kind: SessionModelKind[M, Any], assistant_id: AssistantId
) -> M | None:
    """The model of an assistant, for one job; None where there is none, or none that can be used."""
    found = CurrentModels(engine, settings.state_folder, kind).of(assistant_id)
    return None if found is None else found[1]
