"""The hold-out: what is kept back from a request that could have been rewritten.

What happens without rewriting is seen where nothing is served: to the control users, for ever, and to a small
share of the requests of all others. What is kept back is named, so that each rewrite can be compared with
leaving the request as it is.
"""

from typing import Final

from msgspec import Struct

from rewriting.serving.arm import CONTROL_ARM, Arm, Arms
from rewriting.serving.settings import ServingSettings
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LiveRewrite, LookupAnswer
from rewriting.table.rewrite import GLOBAL, Method, RewriteId, TableVersion
from streams.turn import AssistantId, UserId

NEVER_WITHHELD: Final[frozenset[Method]] = frozenset({"taught"})
"""What a user has explained is theirs: they would notice that it is gone, and say it again."""


class ServedAnswer(Struct, frozen=True):
    """The answer that leaves the house."""

    answer: LookupAnswer
    arm: Arm | None  # of the user; None: serving is off, or the assistant is not known yet
    withheld: RewriteId | None = None  # the rewrite that was kept back; None: there is none


class HoldOut:
    """Decides what is kept back; the same in every process with these settings."""

    def __init__(self, settings: ServingSettings) -> None:
        self._arms = Arms(settings)
        self._global_only = frozenset(
            Arm(name) for name, arm in settings.arms.items() if arm.scopes == "global"
        )

    def arm_of(self, assistant_id: AssistantId, user_id: UserId) -> Arm:
        """The arm of a user of an assistant."""
        return self._arms.of(assistant_id, user_id)

    def uses_history(self, arm: Arm) -> bool:
        """Whether what is known of the user may speak for a rewrite in this arm."""
        return arm not in self._global_only

    def takes(self, arm: Arm, rewrite: LiveRewrite | None) -> bool:
        """Whether the scope of a rewrite is one that the arm is served; so it is where there is none."""
        return (
            rewrite is None
            or rewrite.scope == GLOBAL
            or rewrite.method in NEVER_WITHHELD
            or self.uses_history(arm)
        )

    def served(
        self,
        answer: LookupAnswer,
        arm: Arm,
        assistant_id: AssistantId,
        user_id: UserId,
        text: str,
        ts_ms: int,
        passed_over: LiveRewrite | None = None,
    ) -> ServedAnswer:
        """What a request is answered, of what could have been answered.

        Args:
            answer: that was decided for.
            arm: of the user.
            assistant_id: whose user.
            user_id: who said it.
            text: as the user said it.
            ts_ms: when, milliseconds since 1970.
            passed_over: a rewrite in whose place the answer came to be, since the arm is not served it.
        """
        rewrite = answer.rewrite
        if rewrite is None:
            if passed_over is None:
                return ServedAnswer(answer, arm)
            rewrite = passed_over
        elif rewrite.method in NEVER_WITHHELD:
            return ServedAnswer(answer, arm)
        elif arm != CONTROL_ARM and self.takes(arm, rewrite):
            if not self._arms.is_explored(assistant_id, user_id, text, ts_ms):
                return ServedAnswer(answer, arm)
        held_out = LookupAnswer(None, AbstainReason.HELD_OUT, answer.table_version)
        return ServedAnswer(held_out, arm, rewrite.rewrite_id)


def answer_when_off(version: TableVersion) -> ServedAnswer:
    """The answer to every request while serving is off, from a table of this version."""
    return ServedAnswer(LookupAnswer(None, AbstainReason.SERVING_OFF, version), None)
