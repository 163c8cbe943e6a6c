import numpy as np

from rewriting.encoders.batch import TrainingBatch, training_batch
from rewriting.encoders.example import EncoderExample
from rewriting.encoders.hard_negatives import meanings_of_queries

KNOWN = {
    "play jazz": "play|music|genre=jazz",
    "put on jazz": "play|music|genre=jazz",
    "play chess": "play|game|game=chess",
    "call mom": "phone|call|who=mom",
}


def _example(query: str, positive: str, weight: float = 1) -> EncoderExample:
    return EncoderExample(
        query=query, positive=positive, positive_interpretation=KNOWN.get(positive), weight=weight
    )


def _batch(*rows: tuple[EncoderExample, tuple[str, ...]]) -> TrainingBatch:
    examples = [example for example, _ in rows]
    meanings = meanings_of_queries(examples, KNOWN)
    return training_batch(examples, [negatives for _, negatives in rows], meanings, KNOWN)


def test_another_row_with_the_same_meaning_is_not_held_against_a_row() -> None:
    batch = _batch((_example("play jess", "play jazz"), ()), (_example("put jazz", "put on jazz"), ()))
    assert batch.compared.tolist() == [[True, False], [False, True]]


def test_another_row_with_another_meaning_is() -> None:
    batch = _batch((_example("play jess", "play jazz"), ()), (_example("call mum", "call mom"), ()))
    assert batch.compared.all()


def test_the_same_positive_without_interpretation_is_not_held_against_a_row() -> None:
    batch = _batch((_example("a", "unheard of"), ()), (_example("b", "unheard of"), ()))
    assert batch.compared.tolist() == [[True, False], [False, True]]


def test_a_query_that_succeeded_is_not_pushed_from_itself_nor_from_what_means_the_same() -> None:
    batch = _batch(
        (_example("play jazz", "play chess"), ()), (_example("put jazz", "put on jazz"), ("call mom",))
    )
    assert batch.candidates == ("play chess", "put on jazz", "call mom")
    assert batch.compared[0].tolist() == [True, False, True]


def test_another_positive_of_the_same_query_is_not_held_against_it() -> None:
    batch = _batch((_example("play jess", "play jazz"), ()), (_example("play jess", "play chess"), ()))
    assert batch.compared.tolist() == [[True, False], [False, True]]


def test_negatives_are_shared_but_not_by_rows_for_which_they_are_right() -> None:
    batch = _batch(
        (_example("play jess", "play jazz"), ("play chess",)),
        (_example("play chest", "play chess"), ("put on jazz",)),
    )
    assert batch.candidates == ("play jazz", "play chess", "put on jazz")  # a positive is no negative besides
    assert batch.compared.tolist() == [[True, True, False], [True, True, True]]


def test_weights_are_shares() -> None:
    batch = _batch((_example("a", "play jazz", 3), ()), (_example("b", "call mom", 1), ()))
    np.testing.assert_allclose(batch.weights, [0.75, 0.25])
