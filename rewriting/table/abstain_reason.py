"""Why a request stays as it is: every answer without a rewrite has one of these reasons."""

import enum


class AbstainReason(enum.StrEnum):
    """Why a request stays as it is."""

    NO_REWRITE_KNOWN = "no_rewrite_known"
    UNDERSTOOD_SURELY = "understood_surely"  # its rewrite is for requests understood less surely
    BLOCKED = "blocked"  # an operator has taken the rewrite of this request back
    EMPTY_TEXT = "empty_text"  # no letter and no digit in it
    TEXT_TOO_LONG = "text_too_long"  # over `LONGEST_TEXT` characters
    NO_TABLE = "no_table"  # nothing was ever learned for this assistant
    NO_CANDIDATE = "no_candidate"  # nothing is known that it could have meant instead
    SEEMS_RIGHT = "seems_right"  # the defect gate: not likely enough to fail as it is
    NOT_SURE = "not_sure"  # the rank gate: no candidate is likely enough to win
    GUARDED = "guarded"  # the guards refuse what the ranker would run in its place
    OUT_OF_TIME = "out_of_time"  # the budget was spent, and the table has no rewrite
    REJECTED_EARLIER = "rejected_earlier"  # the ranker is away; it has rejected the table's rewrite before
    NOT_JUDGED = "not_judged"  # the ranker is away; it never judged the table's rewrite for such requests
    HELD_OUT = "held_out"  # its rewrite is kept back, to see what happens without it
    SERVING_OFF = "serving_off"  # an operator has switched serving off, for all requests
