"""Turn events and sessions: their types, codecs, topics, and the loop that reads them from Kafka."""
