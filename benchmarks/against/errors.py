"""Errors of running side by side.

SideBySideError
├── CheckoutError     the other folder is no checkout with an environment of its own
├── CommandError      a command of a side failed, or did not end
└── QuestionError     the question cannot be asked in this way
"""


class SideBySideError(Exception):
    """Base of the errors of this package."""

    retriable = False


class CheckoutError(SideBySideError):
    """The folder is no checkout with an environment of its own."""


class CommandError(SideBySideError):
    """A command of a side failed, or did not end; with what it printed."""


class QuestionError(SideBySideError):
    """The question cannot be asked in this way."""
