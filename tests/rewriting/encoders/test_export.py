"""Export of real weights; training and small models have tests of their own."""

import numpy as np
import pytest
import torch

from labeling.models.encoder_base import load_base, padded
from rewriting.encoders.export import export_encoder
from rewriting.encoders.model import TextEncoderModel
from rewriting.encoders.text_encoder import TextEncoder

TEXTS = [
    "turn on the lights in the kitchen",
    "switch on the kitchen lamp",
    "what is the weather tomorrow",
    "",
    "play " * 100,
    "播放音乐",
]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    folder = tmp_path_factory.mktemp("export") / "untrained"
    manifest = export_encoder(None, folder)
    assert manifest.facts["dimension"] == 384
    return TextEncoder.load(folder)


def test_torch_and_onnx_agree_on_texts(untrained: TextEncoder) -> None:
    model = TextEncoderModel(load_base()).eval()
    with torch.no_grad():
        ids, mask = padded([model.base.tokenizer.ids(text) for text in TEXTS], torch.device("cpu"))
        expected = model(ids, mask).numpy()
    np.testing.assert_allclose(untrained.encode(TEXTS), expected, rtol=0, atol=1e-4)


def test_the_weights_know_what_is_near_in_meaning(untrained: TextEncoder) -> None:
    lights, lamp, weather, *_ = untrained.encode(TEXTS)
    assert lights @ lamp > lights @ weather + 0.3
