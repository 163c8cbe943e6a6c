"""Producing records and knowing that the broker has them."""

from collections.abc import Callable, Iterable

import structlog
from kafka import KafkaProducer
from kafka.errors import (
    IllegalStateError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumberError,
    RecordListTooLargeError,
    UnknownProducerIdError,
)

from streams.errors import DeliveryError
from streams.kafka_connection import is_passing, open_producer
from streams.kafka_settings import KafkaSettings
from streams.stream_task import OutgoingRecord

log = structlog.get_logger()

FLUSH_SLICE_S = 0.5
"""How long a flush goes on before it is asked again whether to give up."""

CLOSE_TIMEOUT_S = 5.0

_NEW_PRODUCER_HELPS = (
    IllegalStateError,
    InvalidProducerEpochError,
    OutOfOrderSequenceNumberError,
    UnknownProducerIdError,
)
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class RecordProducer:
    """Produces records and waits until the broker has them. Not for two threads at a time.

    It connects when it is first used, and again after a failure: once a broker has refused a record, an
    idempotent producer cannot go on with that partition.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def deliver(self, records: Iterable[OutgoingRecord], give_up: Callable[[], bool] = lambda: False) -> int:
        """Produces records, waits until the broker has all of them, and returns how many there were.

        Args:
            records: in the order in which they shall come, within each partition.
            give_up: asked now and then while the broker does not answer.

        Raises:
            DeliveryError: not all of them are there; some may be.
            KafkaUnreachableError: no server answers.
        """
        futures = []
        try:
            for record in records:
                if self._producer is None:
                    self._producer = open_producer(self._settings)
                future = self._producer.send(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )
                futures.append((record, future))
            if self._producer is None or not futures:
                return 0
            self._flush(self._producer, give_up)
        except KafkaError as error:
            self._discard()
            raise _delivery_error(error, "records") from error
        for record, future in futures:
            if (refusal := future.exception) is not None:
                self._discard()
                raise _delivery_error(refusal, f"a record for {record.topic}") from refusal
        return len(futures)

    def close(self) -> None:
        """Lets go of the connection; what `deliver` has returned from is safe."""
        if self._producer is not None:
            self._discard()

    def _flush(self, producer: KafkaProducer, give_up: Callable[[], bool]) -> None:
        while True:
            try:
                producer.flush(FLUSH_SLICE_S)
                return
            except KafkaTimeoutError:  # each record has its own, longer deadline
                if give_up():
                    raise

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(CLOSE_TIMEOUT_S)
        except KafkaTimeoutError:  # it still held records, which the caller will send again
            log.debug("producer dropped with records in it")


def _delivery_error(error: BaseException, what: str) -> DeliveryError:
    return DeliveryError(
        f"Kafka did not take {what}: {error}",
        retriable=is_passing(error) or isinstance(error, _NEW_PRODUCER_HELPS),
        too_large=isinstance(error, _TOO_LARGE),
    )
