"""What can fail in streams.

StreamError
├── TurnDecodeError       a record is not a turn event (goes to the dead letters)
│   └── TurnTimeError     its time is in another unit, or from a wrong clock
├── RecordSizeError       a record is too large to be decoded (goes to the dead letters)
├── RecordsRefusedError   a task cannot take some of its records (they go to the dead letters)
├── TurnFileError         a turns file cannot be read
├── BrokerError           the development broker does not start or stop
├── KafkaSettingsError    settings that cannot work
├── KafkaUnreachableError Kafka does not answer
├── DeliveryError         Kafka did not take a record
├── TopicError            a topic cannot be created or read
├── DeadLetterError       a record on the dead-letter topic is not a dead letter
├── OffsetOrderError      records of a partition came in the wrong order
└── CheckpointConflictError   another worker has moved on with this partition
"""

from collections.abc import Mapping


class RehearError(Exception):
    """Base of all errors that Rehear raises of its own; each package has its branch."""

    retriable = False


class StreamError(RehearError):
    """Base of all errors of this package."""


class TurnDecodeError(StreamError):
    """A record is not a turn event; the message says what is wrong, and where in the record."""


class TurnTimeError(TurnDecodeError):
    """The time of a turn is in another unit, or from a wrong clock; the message says what to do."""


class RecordSizeError(StreamError):
    """A record is too large to be decoded; the message says how large it is and may be."""


class RecordsRefusedError(StreamError):
    """A task cannot take some of the records it was given, whatever is tried."""

    def __init__(self, refusals: Mapping[tuple[int, int], Exception]) -> None:
        super().__init__(f"{len(refusals)} records are refused")
        self.refusals = refusals  # by partition and offset: why


class TurnFileError(StreamError):
    """A turns file cannot be read; the message names the file, the line, and what to do."""


class BrokerError(StreamError):
    """The development broker does not start or stop; the message carries what it printed."""


class KafkaSettingsError(StreamError, ValueError):
    """Settings that cannot work; the message names them and says what to write instead."""


class KafkaUnreachableError(StreamError):
    """Kafka does not answer; the message says where it was looked for."""

    retriable = True


class DeliveryError(StreamError):
    """Kafka did not take a record; the message carries its reason."""

    def __init__(self, message: str, *, retriable: bool, too_large: bool) -> None:
        super().__init__(message)
        self.retriable = retriable  # the same record may be taken later
        self.too_large = too_large  # a smaller one would be taken


class DeadLetterError(StreamError):
    """A record on the dead-letter topic is not a dead letter; the message says which and why."""


class TopicError(StreamError):
    """A topic cannot be created or read; the message says which one and why."""


class OffsetOrderError(StreamError):
    """Records of a partition came in the wrong order, a fault of client or broker; nothing was saved."""


class CheckpointConflictError(StreamError):
    """Another worker has saved this partition since we read it: drop our work and rejoin the group."""

    retriable = True
