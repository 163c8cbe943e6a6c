"""How log lines look: for people to read, with tracebacks that show code and never the values of variables.

Values would be users' texts; and a traceback with values takes a fifth of a second to lay out, which is more
than most requests take.
"""

import logging
import sys

import structlog
from structlog.typing import Processor


def log_processors(*, colors: bool = False) -> list[Processor]:
    """What makes a line of an event.

    Args:
        colors: whether it is for a terminal.
    """
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.dev.set_exc_info,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


def configure_log() -> None:
    """Sends log lines of this process, from INFO up, to standard error."""
    structlog.configure(
        processors=log_processors(colors=sys.stderr.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
