"""Questions: what the assistant had just asked when a request came.

"any" means another thing after "What part of town?" than after "What price range?": what is learned of a
request where something had been asked is learned for that question.
"""

import re
from typing import NewType

from streams.turn import TurnEvent

Question = NewType("Question", str)

NO_QUESTION = Question("")

MOST_SEARCHED = 2_000
"""Characters at the end of what was said in which the question is sought: two minutes of speech. Raised, one
request with a prompt of nothing but question marks holds up others."""

_SENTENCES = re.compile(r"[^.?!]+[.?!]*")
_WORDS = re.compile(r"\w+")


def question_of(said: str | None) -> Question:
    """The words of the last question that the assistant asked, in small letters.

    >>> question_of("There are # of them. What area would you like?")
    'what area would you like'
    >>> question_of("Curry Garden serves Indian food.")
    ''
    """
    if not said or "?" not in said:
        return NO_QUESTION
    for sentence in reversed(_SENTENCES.findall(said[-MOST_SEARCHED:])):
        if sentence.endswith("?") and (words := _WORDS.findall(sentence)):
            return Question(" ".join(words).casefold())
    return NO_QUESTION


def question_named(words: str | None) -> Question:
    """The question that somebody names, with its mark or without.

    >>> question_named("What area would you like")
    'what area would you like'
    """
    return question_of(words) or question_of(f"{words or ''}?")


def beside_question(said: str | None, question: Question) -> list[str]:
    """The sentences that do not ask this very question.

    >>> beside_question("Sorry? You said the south. What area?", Question("what area"))
    ['Sorry?', 'You said the south.']
    """
    sentences = map(str.strip, _SENTENCES.findall(said or ""))
    return [sentence for sentence in sentences if question_of(sentence) != question]


def question_before(turn: TurnEvent, previous: TurnEvent | None) -> Question:
    """What was asked before a turn: its prompt, in a declared dialogue else the response to the turn before.

    Outside of a declared dialogue an assistant answers requests, it does not ask.
    """
    if turn.prompt:
        return question_of(turn.prompt)
    if turn.dialogue_id is None or previous is None:
        return NO_QUESTION
    return question_after(previous)


def question_after(turn: TurnEvent) -> Question:
    """What the assistant asked in its response to a turn."""
    return NO_QUESTION if turn.response is None else question_of(turn.response.text)
