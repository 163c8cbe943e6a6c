"""What can fail in streams.

StreamError
├── TurnDecodeError       a record is not a turn event (goes to the dead letters)
├── TurnFileError         a turns file cannot be read
├── BrokerError           the development broker does not start or stop
├── KafkaSettingsError    settings that cannot work
├── TopicError            a topic cannot be created or read
├── OffsetOrderError      records of a partition came in the wrong order
└── CheckpointConflictError   another worker has moved on with this partition
"""


class StreamError(Exception):
    """Base of all errors of this package."""

    retriable = False


class TurnDecodeError(StreamError):
    """A record is not a turn event; the message says what is wrong, and where in the record."""


class TurnFileError(StreamError):
    """A turns file cannot be read; the message names the file, the line, and what to do."""


class BrokerError(StreamError):
    """The development broker does not start or stop; the message carries what it printed."""


class KafkaSettingsError(StreamError, ValueError):
    """Settings that cannot work; the message names them and says what to write instead."""


class TopicError(StreamError):
    """A topic cannot be created or read; the message says which one and why."""


class OffsetOrderError(StreamError):
    """Records of a partition came in the wrong order: a fault of the client or the broker; nothing was saved."""


class CheckpointConflictError(StreamError):
    """Another worker has saved this partition since we read it: drop our work and rejoin the group."""

    retriable = True
