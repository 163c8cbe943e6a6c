"""Reasons: why a pair of requests is no rewrite."""

from typing import Final, Literal, get_args

RefusalReason = Literal[
    "not_said_by_these_users",  # nobody who said the source ever went on to this text
    "opposite",  # the target negates the source, or asks for its opposite
    "number",  # another number, sign, operator, unit or currency
    "other_name",  # another name or thing, which does not sound alike
    "giving_up",  # what people say who want nothing more
    "fragment",  # a part of the request, or a correction that cannot stand alone
    "answer_to_question",  # the assistant had asked
    "echo",  # the assistant's own words
    "locale",  # learned in another locale
    "few_people",  # too few show that the source failed, and was meant so
    "new_accounts",  # the people are not known for long enough, or for anything else
    "sensitive",  # costly or dangerous, and too few trusted users
    "private",  # looks like somebody's number, address or name
    "small_share",  # too few of all who said the source went on to it
    "no_order",  # the log does not tell which came first
]

REFUSAL_REASONS: Final[tuple[RefusalReason, ...]] = get_args(RefusalReason)
"""All of them, in the order in which they are told."""
