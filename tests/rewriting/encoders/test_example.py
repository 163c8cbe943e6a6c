from rewriting.encoders.example import EncoderExample, understanding_examples, verbalise


def test_an_interpretation_is_put_into_words() -> None:
    assert verbalise("play|music|artist=imagine dragons;mood=") == "play music artist imagine dragons mood"
    assert verbalise("text:play jazz") == "play jazz"
    assert verbalise("||") == ""


def test_texts_of_one_interpretation_are_paired_in_a_ring_and_with_its_words() -> None:
    known = {"b": "x|y|", "a": "x|y|", "c": "x|y|", "lights on": "iot|on|", "iot off": "iot|off|"}
    pairs = {(example.query, example.positive) for example in understanding_examples(known)}
    assert pairs == {
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("a", "x y"),
        ("b", "x y"),
        ("c", "x y"),
        ("lights on", "iot on"),
    }


def test_each_pair_means_the_same_on_both_sides() -> None:
    known = {"lights on": "iot|on|room=kitchen", "on with the lights": "iot|on|room=kitchen"}
    for example in understanding_examples(known):
        assert example.query_interpretation == example.positive_interpretation == "iot|on|room=kitchen"


def test_the_order_of_the_log_does_not_matter() -> None:
    known = {f"text {i}": f"d|i|n={i % 3}" for i in range(20)}
    backwards = dict(reversed(known.items()))
    assert understanding_examples(known) == understanding_examples(backwards)


def test_nothing_known_gives_no_examples() -> None:
    assert understanding_examples({}) == []
    assert understanding_examples({"play": "text:play"}) == []
    assert EncoderExample(query="a", positive="b").weight == 1
