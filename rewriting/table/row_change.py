"""What rows of the rewrite table become: by the learner's wish, and when a change is undone.

A row has a status, and the status that the learner wishes for it. They differ where the row is blocked.
A held row is live; what the learner wishes in its place is kept beside the table, as a rewrite of its own.
"""

import math
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Final

import msgspec
from msgspec import Struct

from rewriting.errors import RewriteTableError
from rewriting.table.occasion import TURN_KINDS, locale_fault
from rewriting.table.rewrite import Rewrite, RewriteId, RewriteStatus
from streams.turn import AssistantId

ANY_TARGET: Final = ""
"""The target text of a block that holds for every target of its source; no target is empty."""

_PROPOSABLE: Final = ("candidate", "shadow", "live")


class StoredRewrite(Struct, frozen=True):
    """A row of the table, and what the learner wants its status to be."""

    rewrite: Rewrite
    wished_status: RewriteStatus


class Restoration(Struct, frozen=True):
    """What brings rows back to how they were."""

    rows: tuple[StoredRewrite, ...]
    undone: tuple[tuple[RewriteId, str], ...]  # pairs (id, target text) that must not come back
    freed: tuple[tuple[RewriteId, str], ...]  # pairs that may
    wishes: tuple[Rewrite, ...]  # of what is to be held: what the learner wants it to be
    still_blocked: tuple[Rewrite, ...]  # as they were live, of those that stay blocked


def wished_row(
    proposal: Rewrite, found: StoredRewrite | None, blocked: Collection[str], *, held: bool
) -> StoredRewrite | None:
    """The row that a proposal asks for; None where the row that stands is to stay.

    Args:
        proposal: what the learner wants.
        found: the row that stands.
        blocked: target texts that this source must not be rewritten to.
        held: whether the row that stands must stay live, and keep its target.
    """
    is_blocked = proposal.target_text in blocked or ANY_TARGET in blocked
    if found is not None:
        other_target = found.rewrite.target_text != proposal.target_text
        if is_blocked and other_target and found.rewrite.status in _PROPOSABLE:
            return None
        if held and (other_target or proposal.status != "live"):
            return None
    row = row_with_status(proposal, proposal.status, blocked=is_blocked)
    if (
        found is not None
        and found.wished_status == row.wished_status
        and same_content(found.rewrite, row.rewrite)
    ):
        return None
    return row


def restore_rows(
    rows: Mapping[RewriteId, StoredRewrite],
    earlier: Mapping[RewriteId, StoredRewrite],
    wishes: Mapping[RewriteId, Rewrite],
    kept_blocks: Mapping[RewriteId, Set[str]],
) -> Restoration:
    """What makes the live ones of `rows` those that were live in `earlier`, with the content they had.

    Args:
        rows: as they stand.
        earlier: as they stood; a rewrite that was not there yet is missing.
        wishes: what the learner wants of those that are held now.
        kept_blocks: target texts whose blocks shall stay: rewrites to them do not come back.
    """
    changed: list[StoredRewrite] = []
    undone: list[tuple[RewriteId, str]] = []
    freed: list[tuple[RewriteId, str]] = []
    held: list[Rewrite] = []
    still_blocked: list[Rewrite] = []
    for rewrite_id, row in rows.items():
        then = earlier.get(rewrite_id)
        is_live = row.rewrite.status == "live"
        if then is not None and then.rewrite.status != "live":
            then = None
        if then is not None and {then.rewrite.target_text, ANY_TARGET} & kept_blocks.get(rewrite_id, set()):
            still_blocked.append(then.rewrite)
            then = None
        if then is not None:
            freed += [(rewrite_id, then.rewrite.target_text), (rewrite_id, ANY_TARGET)]
            held.append(wishes.get(rewrite_id) or _wish_of(row))
            if is_live and row.rewrite.target_text != then.rewrite.target_text:
                undone.append((rewrite_id, row.rewrite.target_text))
            if not same_content(then.rewrite, row.rewrite):
                changed.append(StoredRewrite(then.rewrite, "live"))
        elif is_live:
            undone.append((rewrite_id, row.rewrite.target_text))
            changed.append(blocked_row(row, wishes.get(rewrite_id)))
    return Restoration(tuple(changed), tuple(undone), tuple(freed), tuple(held), tuple(still_blocked))


def blocked_row(row: StoredRewrite, wish: Rewrite | None) -> StoredRewrite:
    """The row, blocked; `wish` is what the learner wants of it if it was held."""
    wished_status = row.wished_status
    if wish is not None:
        wished_status = wish.status if wish.target_text == row.rewrite.target_text else "retired"
    return row_with_status(row.rewrite, wished_status, blocked=True)


def released_row(row: StoredRewrite, wish: Rewrite, blocked: Collection[str]) -> StoredRewrite | None:
    """What a held row becomes when it is held no more; None where it is to stay.

    Args:
        row: as it stands.
        wish: what the learner wants.
        blocked: target texts that this source must not be rewritten to.
    """
    if wish.status == "retired":
        return row_with_status(row.rewrite, "retired", blocked=False)
    return wished_row(wish, row, blocked, held=False)


def row_with_status(rewrite: Rewrite, wished_status: RewriteStatus, *, blocked: bool) -> StoredRewrite:
    """The rewrite with the status that is wished for it, unless it is blocked."""
    status: RewriteStatus = "blocked" if blocked else wished_status
    return StoredRewrite(msgspec.structs.replace(rewrite, status=status), wished_status)


def storable_text(text: str) -> str:
    """The text without NUL characters, which PostgreSQL cannot store and nobody can say."""
    return text.replace("\0", "")


def storable_proposal(proposal: Rewrite) -> Rewrite:
    """The proposal with texts as they can be stored."""
    texts = {
        name: storable_text(value)
        for name in (
            "source_text",
            "source_interpretation",
            "target_text",
            "target_interpretation",
            "question",
        )
        if (value := getattr(proposal, name)) is not None and "\0" in value
    }
    return msgspec.structs.replace(proposal, **texts) if texts else proposal


def check_proposals(
    assistant_id: AssistantId, proposals: Sequence[Rewrite], withdrawn: Collection[RewriteId]
) -> None:
    """Refuses what cannot be written to the table of an assistant.

    Raises:
        RewriteTableError: says which proposal, and what is wrong with it.
    """
    seen: set[RewriteId] = set(withdrawn)
    for proposal in proposals:
        where = f"the proposed rewrite {proposal.rewrite_id}"
        if proposal.assistant_id != assistant_id:
            raise RewriteTableError(
                f"{where} is of assistant {proposal.assistant_id!r}, and the table is of {assistant_id!r}: "
                "put each assistant's rewrites by themselves"
            )
        if proposal.rewrite_id in seen:
            raise RewriteTableError(f"{where} comes twice, or is withdrawn as well: propose each id once")
        seen.add(proposal.rewrite_id)
        if proposal.status not in _PROPOSABLE:
            raise RewriteTableError(
                f"{where} has status {proposal.status!r}: propose {', '.join(_PROPOSABLE)}, or withdraw it"
            )
        if (fault := locale_fault(proposal.locale)) is not None:
            raise RewriteTableError(f"{where} has a locale that cannot be compared: {fault}")
        if proposal.turn_kind not in TURN_KINDS:
            raise RewriteTableError(
                f"{where} is for turns of the kind {proposal.turn_kind!r}: there are {', '.join(TURN_KINDS)}"
            )
        numbers = (proposal.score, proposal.source_success_rate, proposal.target_success_rate)
        limits = (proposal.max_confidence, proposal.max_asr_confidence, proposal.max_nlu_confidence)
        if not all(map(math.isfinite, (*numbers, *(limit or 0.0 for limit in limits)))):
            raise RewriteTableError(f"{where} has a score, rate or confidence that is no finite number")


def same_content(one: Rewrite, other: Rewrite) -> bool:
    """Whether two rewrites differ in nothing but when and why they came."""
    return one == msgspec.structs.replace(
        other, version=one.version, changed_ms=one.changed_ms, reason=one.reason
    )


def _wish_of(row: StoredRewrite) -> Rewrite:
    return msgspec.structs.replace(row.rewrite, status=row.wished_status)
