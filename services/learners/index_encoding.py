"""Index encoding: vectors for the requests that the index shall hold, from each assistant's encoder in use.

Which encoder that is, and where it lies, is said by `labeling.models.in_use`.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import structlog
from msgspec import Struct
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from labeling.models.in_use import LoadedModels, current_encoders, model_folder
from rewriting.encoders.text_encoder import TextEncoder, encoder_id
from rewriting.index.indexed_request import IndexedRequest
from rewriting.index.store import INDEX_STATES, not_encoded, store_vectors
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()

MOST_REQUESTS = 256
"""Encoded at a time: a second of a small encoder on one thread. Raised, sessions that come meanwhile wait
longer; lowered, more transactions."""


class EncodedRequests(Struct, frozen=True):
    """Requests of an assistant with their vectors."""

    assistant_id: AssistantId
    encoder_id: str
    requests: tuple[IndexedRequest, ...]
    vectors: NDArray[np.float32]  # (requests, dimension)


class LoadedEncoder(Struct, frozen=True):
    """A text encoder and its id."""

    encoder_id: str
    encoder: TextEncoder


class IndexEncoding:
    """Encodes what waits, assistant by assistant; an assistant without an encoder waits."""

    def __init__(self, engine: Engine, state: Path) -> None:
        self._engine = engine
        self._state = state
        trouble = "the text encoder cannot be used: new requests are not found until it can"
        self._encoders = LoadedModels(
            lambda folder: LoadedEncoder(encoder_id(folder), TextEncoder.load(folder)), trouble
        )
        self._said: set[AssistantId] = set()  # that wait for an encoder, as the log tells already

    def encode(self, limit: int = MOST_REQUESTS) -> list[EncodedRequests]:
        """Encodes some of what waits, in no transaction; stores nothing."""
        with reading(self._engine) as connection:
            encoders = current_encoders(connection)
            waiting_for_one = INDEX_STATES.all(connection).keys() - encoders.keys()
        for assistant_id in sorted(waiting_for_one - self._said):
            self._said.add(assistant_id)
            log.info("requests wait for a text encoder: learn one", assistant_id=assistant_id)
        encoded = []
        for assistant_id, name in encoders.items():
            if limit <= 0:
                break
            loaded = self._encoders.of(assistant_id, model_folder(self._state, assistant_id) / name)
            if loaded is None:
                continue
            with reading(self._engine) as connection:
                waiting = not_encoded(connection, loaded.encoder_id, limit, assistant_id)
            requests = tuple(waiting.get(assistant_id, ()))
            if requests:
                vectors = loaded.encoder.encode([request.text for request in requests])
                encoded.append(EncodedRequests(assistant_id, loaded.encoder_id, requests, vectors))
                limit -= len(requests)
        return encoded


def store_encoded(connection: Connection, encoded: Iterable[EncodedRequests]) -> None:
    """Stores vectors; of requests that were changed meanwhile, nothing.

    Args:
        connection: in a transaction that writes.
        encoded: from `IndexEncoding.encode`.
    """
    for some in sorted(encoded, key=lambda some: some.assistant_id):
        store_vectors(connection, some.assistant_id, some.encoder_id, some.requests, some.vectors)


def encode_all(engine: Engine, state: Path) -> int:
    """Encodes all that waits; gives how many requests that were."""
    encoding = IndexEncoding(engine, state)
    n_encoded = 0
    while encoded := encoding.encode():
        with engine.begin() as connection:
            store_encoded(connection, encoded)
        n_encoded += sum(len(some.requests) for some in encoded)
    return n_encoded
