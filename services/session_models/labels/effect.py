"""What becomes of labels: they are stored, and their defects are evidence for chains and requests."""

from collections.abc import Sequence

from sqlalchemy import Connection

from labeling.labels.store import LABEL_STORE, SessionLabels, store_labels
from labeling.labels.turn_label import TurnLabel
from services.learners.stored_evidence import learned_from, stored_evidence
from services.session_models.effect import EvidenceEffect, NewVerdicts
from streams.session import Session, SessionId
from streams.turn import AssistantId
from streams.verdict import Judged

_Labels = list[TurnLabel]


class LabelEffect(EvidenceEffect[_Labels]):
    """Stores labels; sessions of which chains and requests then make something else have changed."""

    @property
    def alone(self) -> bool:
        """Where links count too: what labels change depends on them, and they change meanwhile."""
        return self._settings.evidence.links and self._settings.evidence.defects

    def keep(
        self, connection: Connection, judged: Sequence[Judged[_Labels]], void: Sequence[SessionId]
    ) -> Sequence[Session]:
        """Stores labels; gives the sessions of which something else is learned now."""
        sessions = [item.session for item in judged]
        before = self._learned(connection, sessions)
        self._store(connection, judged, void)
        after = self._learned(connection, sessions)
        return [x for x in sessions if before[x.session_id] != after[x.session_id]]

    def renew(self, connection: Connection, assistant_id: AssistantId, new: NewVerdicts[_Labels]) -> None:
        """Stores labels, and has chains and requests learn from them."""
        self._store(connection, new.judged, new.void)
        self._learners.absorb(connection, assistant_id, new.sessions)

    def finish(self, connection: Connection, assistant_id: AssistantId) -> None:
        """Makes the rewrite tables and the statistics what all labels warrant."""
        self._learners.solve(connection)

    def summary(self, connection: Connection, assistant_id: AssistantId) -> str:
        """How many turns have labels."""
        sessions, turns = LABEL_STORE.counts(connection, assistant_id)
        return f"{turns:,} turns in {sessions:,} sessions have labels"

    def _store(
        self, connection: Connection, judged: Sequence[Judged[_Labels]], void: Sequence[SessionId]
    ) -> None:
        LABEL_STORE.drop(connection, void)
        labelled = [SessionLabels(item.session, item.model, item.verdict) for item in judged]
        store_labels(connection, labelled, self._clock_ms())

    def _learned(self, connection: Connection, sessions: Sequence[Session]) -> dict[SessionId, object]:
        """What chains and requests make of sessions; nothing where they do not go by defects."""
        if not self._settings.evidence.defects:
            return dict.fromkeys(session.session_id for session in sessions)
        evidence = stored_evidence(connection, sessions, self._settings.evidence)
        return {x.session_id: learned_from(x, evidence[x.session_id]) for x in sessions}
