"""The RoBERTa to start from: what it takes over of the BERT that it is made of, and named ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel, RobertaModel

from labeling.errors import EncoderBaseError, EncoderTrainingError
from labeling.models.byte_pair_tokenizer import END, PADDING, START, as_it_is
from labeling.models.encoder_base import checked_room, load_transformer
from labeling.models.onnx_export import token_inputs, write_onnx
from labeling.models.roberta_base import RobertaBase, roberta_base

TEXTS = ["turn on the kitchen lights", "turn off the kitchen lights", "what is the wemo doing"] * 3


@pytest.fixture(scope="module")
def made() -> RobertaBase:
    return roberta_base(TEXTS)


@pytest.fixture(scope="module")
def bert() -> PreTrainedModel:
    return load_transformer()[1]


def _hidden(transformer: PreTrainedModel, ids: list[int]) -> Tensor:
    """Of the last layer: (tokens, width)."""
    with torch.no_grad():
        return transformer(input_ids=torch.tensor([ids])).last_hidden_state[0]


def _bert_ids(text: str) -> list[int]:
    return as_it_is(load_transformer()[2].backend_tokenizer).encode(text).ids


@pytest.mark.parametrize("text", ["Turn on the kitchen lights", "is the university allowed?"])
def test_a_text_of_whole_words_is_read_as_by_the_bert(
    made: RobertaBase, bert: PreTrainedModel, text: str
) -> None:
    torch.testing.assert_close(
        _hidden(made.transformer, made.tokenizer.encode(text).ids),
        _hidden(bert, _bert_ids(text)),
        rtol=0,
        atol=1e-4,
    )


def test_a_text_of_parts_of_words_is_read_much_alike(bert: PreTrainedModel) -> None:
    few = roberta_base(TEXTS, vocabulary=8_000)
    text = "turn off the lighting in the kitchen tonight"
    ids = few.tokenizer.encode(text).ids
    assert len(ids) > len(_bert_ids(text))
    meant = _hidden(bert, _bert_ids(text)).mean(dim=0)
    other = _hidden(bert, _bert_ids("what is the weather tomorrow")).mean(dim=0)
    found = _hidden(few.transformer, ids).mean(dim=0)
    near = cosine_similarity(found, meant, dim=0)
    assert near > 0.6
    assert near > cosine_similarity(found, other, dim=0) + 0.3


def test_positions_are_those_of_the_bert_two_places_on(made: RobertaBase, bert: PreTrainedModel) -> None:
    assert isinstance(made.transformer, RobertaModel)
    positions = made.transformer.embeddings.position_embeddings.weight
    torch.testing.assert_close(positions[2:], bert.embeddings.position_embeddings.weight, rtol=0, atol=0)
    assert checked_room(made.transformer, made.name, 3) == 512
    start, the, end = (made.tokenizer.token_to_id(token) for token in (START, "Ġthe", END))
    ids = [start, *[the] * 510, end]
    assert _hidden(made.transformer, ids).shape == (512, made.width)


def test_tokens_start_as_the_mean_of_their_word_pieces(made: RobertaBase, bert: PreTrainedModel) -> None:
    rows = made.transformer.get_input_embeddings().weight
    pieces, tokenizer = bert.get_input_embeddings().weight, load_transformer()[2]
    for token, mean_of in [
        ("<s>", ["[CLS]"]),
        ("</s>", ["[SEP]"]),
        ("<pad>", ["[PAD]"]),
        ("<mask>", ["[MASK]"]),
        ("Ġkitchen", ["kitchen"]),
        ("Ġwemo", ["we", "##mo"]),
        ("ing", ["##ing"]),
        ("!", ["!"]),
    ]:
        assert token in made.tokenizer.get_vocab()
        expected = pieces[tokenizer.convert_tokens_to_ids(mean_of)].mean(dim=0)
        torch.testing.assert_close(rows[made.tokenizer.token_to_id(token)], expected)
    torch.testing.assert_close(rows[made.tokenizer.token_to_id("Ġ")], pieces.mean(dim=0))


def test_the_same_texts_give_the_same_model_and_leave_random_numbers_alone(made: RobertaBase) -> None:
    before = torch.random.get_rng_state()
    again = roberta_base(iter(TEXTS))
    assert torch.equal(before, torch.random.get_rng_state())
    assert again.tokenizer.to_str() == made.tokenizer.to_str()
    weights = made.transformer.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in again.transformer.state_dict().items())


def test_padding_changes_nothing(made: RobertaBase) -> None:
    ids = made.tokenizer.encode("turn on the kitchen lights").ids
    alone = _hidden(made.transformer, ids)
    padding = 4
    for pad_id in (made.tokenizer.token_to_id(PADDING), 0):
        with torch.no_grad():
            hidden = made.transformer(
                input_ids=torch.tensor([[*ids, *[pad_id] * padding]]),
                attention_mask=torch.tensor([[1] * len(ids) + [0] * padding]),
            ).last_hidden_state[0]
        torch.testing.assert_close(hidden[: len(ids)], alone, rtol=0, atol=1e-5)


def test_without_texts_there_is_a_model_of_what_the_weights_know() -> None:
    base = roberta_base([], layers=1)
    encoding = base.tokenizer.encode("hello 播 😀")
    assert encoding.tokens[:2] == ["<s>", "Ġhello"]
    assert torch.isfinite(_hidden(base.transformer, encoding.ids)).all()
    assert base.transformer.config.num_hidden_layers == 1


def test_a_named_base_keeps_its_own_tokenizer(tiny_base: Path) -> None:
    base = roberta_base(["not read"], base=tiny_base, layers=1, max_tokens=70)
    assert (base.name, base.width) == ("tiny", 32)
    text = "Play JAZZ for mom"
    encoding = base.tokenizer.encode(text, add_special_tokens=False)
    assert [text[start:end] for start, end in encoding.offsets] == ["Play", "JAZZ", "f", "o", "r", "mom"]
    with_special = base.tokenizer.encode(text).tokens
    assert (with_special[0], with_special[-1]) == ("[CLS]", "[SEP]")


def test_a_named_roberta_is_loaded_as_it_was_written(made: RobertaBase, tmp_path: Path) -> None:
    from transformers import RobertaTokenizerFast

    folder = tmp_path / "own"
    made.transformer.save_pretrained(folder)
    made.tokenizer.save(str(tmp_path / "tokenizer.json"))
    RobertaTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json")).save_pretrained(folder)
    loaded = roberta_base([], base=folder, layers=2)
    assert isinstance(loaded.transformer, RobertaModel)
    tokens = loaded.tokenizer.encode("the").tokens
    assert (tokens[0], tokens[-1]) == (START, END)


def test_what_cannot_be_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderBaseError, match="no-such-model"):
        roberta_base([], base=tmp_path / "no-such-model")
    with pytest.raises(EncoderTrainingError, match="max_tokens is 79"):
        roberta_base([], base=tiny_base, max_tokens=79)
    with pytest.raises(EncoderTrainingError, match="layers is 7"):
        roberta_base([], layers=7)
    with pytest.raises(EncoderTrainingError, match="vocabulary is 100"):
        roberta_base([], vocabulary=100)


def test_it_can_be_exported(made: RobertaBase, tmp_path: Path) -> None:
    import numpy as np
    import onnxruntime

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = roberta_base(TEXTS, layers=1).transformer

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            hidden: Tensor = self.transformer(input_ids, attention_mask=attention_mask).last_hidden_state
            return hidden

    model = Hidden()
    inputs = token_inputs(["input_ids", "attention_mask"], 64)
    write_onnx(model, inputs, tmp_path / "model.onnx", quantised=False)
    ids = torch.tensor([made.tokenizer.encode(text).ids for text in TEXTS[:2]])
    mask = torch.ones_like(ids)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, model(ids, mask).numpy(), rtol=0, atol=1e-4)
