"""What the consumer group last said about our partitions."""

from collections.abc import Collection

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition


class GroupAssignment(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Takes notes of what the group says; the client calls it from a thread of its own.

    New partitions are paused, at a place that means nothing, until the loop has found out where to start.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self.changes = 0
        self.received = False  # there is an assignment to take over
        self.settled = False  # we work on the assignment that the group knows

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The group is about to assign anew, or we have been away for too long."""
        # When metadata has changed, the client joins again without setting the flag that says so, and forgets
        # about it as soon as the leader has seen the change. A poll that ends before the group has answered
        # is then the last to ask for the answer: without heartbeats, and reading nothing, the client would
        # stay between two assignments for good. With the flag it waits; nothing public sets that.
        self._consumer._coordinator.request_rejoin()  # noqa: SLF001 - see above
        self.changes += 1
        self.settled = False

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """These, and only these, are our partitions."""
        for partition in assigned:
            self._consumer.seek(partition, 0)
        self._consumer.pause(*assigned)
        self.changes += 1
        self.settled = False
        self.received = True
