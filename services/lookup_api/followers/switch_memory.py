"""Switch memory: for which assistants serving is off."""

import structlog
from sqlalchemy import Engine

from rewriting.serving.switch import serving_switches
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()


class SwitchMemory:
    """The off switches in memory, as the database has them.

    Args:
        engine: of the database.
        off: whether the settings have serving off for all assistants, whatever the switches say.
    """

    def __init__(self, engine: Engine, *, off: bool = False) -> None:
        self._engine = engine
        self._off = off
        self._assistants: frozenset[AssistantId] = frozenset()

    def is_off(self, assistant_id: AssistantId) -> bool:
        """Whether all requests of an assistant are left as they are."""
        return self._off or assistant_id in self._assistants

    def look(self) -> None:
        """Takes over what has changed in the database; costs one small query."""
        with reading(self._engine) as connection:
            switches = serving_switches(connection)
        now_off = frozenset(assistant_id for assistant_id, switch in switches.items() if switch.off)
        for assistant_id in now_off - self._assistants:
            log.warning("serving is off", assistant_id=assistant_id, reason=switches[assistant_id].reason)
        for assistant_id in self._assistants - now_off:
            log.info("serving is on again", assistant_id=assistant_id)
        self._assistants = now_off
