import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import ArtifactError
from labeling.models.artifact import write_artifact
from labeling.models.encoder_base import load_base, padded
from labeling.models.onnx_model import DESCRIPTION_NAME, MODEL_NAME, TOKENIZER_NAME
from rewriting.encoders.export import export_pair_encoder, export_text_encoder
from rewriting.encoders.model import PairEncoderModel, TextEncoderModel
from rewriting.encoders.text_encoder import PAIR_ENCODER, TEXT_ENCODER, PairEncoder, TextEncoder

TEXTS = [
    "play jazz",
    "",
    "call mom",
    "jazz " * 2_000,
    "x" * 10_000,
    "включи джаз",
    "播放音乐",
    "\x00\x07 \ud800 \U0001f3b7",
    "play jazz on the 7th at 8",
    "play",
    *(f"play number {n}" for n in range(150)),  # more than one batch of one length
]


@pytest.fixture(scope="module")
def text_folder(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders") / "text"
    export_text_encoder(TextEncoderModel(load_base(tiny_base), dimension=8), folder)
    return folder


@pytest.fixture(scope="module")
def pair_model(tiny_base: Path) -> PairEncoderModel:
    return PairEncoderModel(load_base(tiny_base, layers=1)).eval()


@pytest.fixture(scope="module")
def pair_folder(pair_model: PairEncoderModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders") / "pair"
    export_pair_encoder(pair_model, folder)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["floats", "quantised"])
def encoder(
    request: pytest.FixtureRequest,
    text_folder: Path,
    tiny_base: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> TextEncoder:
    if not request.param:
        return TextEncoder.load(text_folder)
    folder = tmp_path_factory.mktemp("encoders") / "quantised"
    export_text_encoder(TextEncoderModel(load_base(tiny_base), dimension=8), folder, quantised=True)
    return TextEncoder.load(folder)


@pytest.fixture(scope="module")
def pair_encoder(pair_folder: Path) -> PairEncoder:
    encoder = PairEncoder.load(pair_folder)
    assert encoder.description.quantised
    return encoder


def test_a_vector_does_not_depend_on_its_batch(encoder: TextEncoder) -> None:
    together = encoder.encode(TEXTS)
    assert together.shape == (len(TEXTS), encoder.dimension) == (len(TEXTS), 8)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, rtol=0, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], together, rtol=0, atol=1e-5)


def test_other_words_have_other_vectors(encoder: TextEncoder) -> None:
    first, second = encoder.encode(["play jazz", "call mom"])
    assert first @ second < 0.999


def test_words_alone_count(encoder: TextEncoder) -> None:
    plain, dressed = encoder.encode(["play jazz", "  Play\tJAZZ!"])
    np.testing.assert_array_equal(plain, dressed)


def test_no_texts_have_no_vectors(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, 8)


@given(st.text(st.characters(), max_size=200))
def test_any_text_has_a_vector_of_length_1(encoder: TextEncoder, text: str) -> None:
    [vector] = encoder.encode([text])
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_threads_share_an_encoder(encoder: TextEncoder) -> None:
    alone = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(encoder.encode, [TEXTS] * 8):
            np.testing.assert_allclose(vectors, alone, rtol=0, atol=1e-5)


def test_a_score_does_not_depend_on_the_other_candidates(pair_encoder: PairEncoder) -> None:
    scores = pair_encoder.score("play jess", TEXTS)
    assert scores.shape == (len(TEXTS),)
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert (scores <= 1).all()
    for text, score in zip(TEXTS, scores, strict=True):
        np.testing.assert_allclose(pair_encoder.score("play jess", [text]), [score], rtol=0, atol=1e-5)


def test_pairs_of_many_queries_have_the_scores_of_each_alone(pair_encoder: PairEncoder) -> None:
    pairs = [(query, candidate) for query in ("play", "x" * 300, "") for candidate in ("call mom", "jazz")]
    alone = [pair_encoder.score(query, [candidate])[0] for query, candidate in pairs]
    assert pair_encoder.score_pairs(pairs) == pytest.approx(alone, abs=1e-6)
    assert pair_encoder.score_pairs([]).shape == (0,)


def test_torch_and_onnx_agree_on_pairs(
    pair_model: PairEncoderModel, pair_encoder: PairEncoder, tmp_path: Path
) -> None:
    export_pair_encoder(pair_model, tmp_path / "pair", quantised=False)
    exact = PairEncoder.load(tmp_path / "pair")
    pairs = [pair_model.base.tokenizer.pair_ids("turn it on", text) for text in TEXTS]
    with torch.no_grad():
        ids, mask = padded([ids for ids, _ in pairs], torch.device("cpu"))
        types, _ = padded([types for _, types in pairs], torch.device("cpu"))
        expected = torch.sigmoid(pair_model(ids, mask, types)).numpy()
    np.testing.assert_allclose(exact.score("turn it on", TEXTS), expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(pair_encoder.score("turn it on", TEXTS), expected, rtol=0, atol=0.02)


def test_a_score_depends_on_both_texts(pair_encoder: PairEncoder) -> None:
    assert pair_encoder.score("play jazz", ["call mom"]) != pair_encoder.score("call mom", ["play jazz"])


@pytest.mark.parametrize("query", ["", "jazz " * 2_000, "x" * 10_000, "播放 \x00 \ud800"])
def test_any_query_has_scores(pair_encoder: PairEncoder, query: str) -> None:
    assert np.isfinite(pair_encoder.score(query, TEXTS)).all()


def test_no_candidates_have_no_scores(pair_encoder: PairEncoder) -> None:
    assert pair_encoder.score("play", []).shape == (0,)


def test_a_damaged_model_is_refused(text_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in text_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    contents = bytearray((folder / MODEL_NAME).read_bytes())
    contents[len(contents) // 2] ^= 1
    (folder / MODEL_NAME).write_bytes(contents)
    with pytest.raises(ArtifactError, match=r"model\.onnx"):
        TextEncoder.load(folder)


def test_a_missing_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing-here"):
        TextEncoder.load(tmp_path / "nothing-here")


def test_an_encoder_of_the_other_kind_is_refused(text_folder: Path, pair_folder: Path) -> None:
    with pytest.raises(ArtifactError, match=PAIR_ENCODER):
        TextEncoder.load(pair_folder)
    with pytest.raises(ArtifactError, match=TEXT_ENCODER):
        PairEncoder.load(text_folder)


@pytest.mark.parametrize("name", [MODEL_NAME, TOKENIZER_NAME, DESCRIPTION_NAME])
def test_a_file_that_is_something_else_is_refused(text_folder: Path, tmp_path: Path, name: str) -> None:
    def write(folder: Path) -> None:
        for file in (MODEL_NAME, TOKENIZER_NAME, DESCRIPTION_NAME):
            (folder / file).write_bytes(b"{}" if file == name else (text_folder / file).read_bytes())

    write_artifact(tmp_path / "odd", TEXT_ENCODER, write, facts={})
    with pytest.raises(ArtifactError, match="train it again"):
        TextEncoder.load(tmp_path / "odd")


_IN_A_PROCESS = """
import os, sys
from pathlib import Path
from rewriting.encoders.text_encoder import PairEncoder, TextEncoder
threads = len(os.listdir("/proc/self/task"))
TextEncoder.load(Path(sys.argv[1])).encode(["play jazz", "call mom", "call"] * 100)
PairEncoder.load(Path(sys.argv[2])).score("play", ["play jazz", "call mom"] * 100)
heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
assert not heavy, heavy
print(len(os.listdir("/proc/self/task")) - threads)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted as Linux shows them")
def test_serving_imports_no_torch_and_starts_no_threads(text_folder: Path, pair_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS, str(text_folder), str(pair_folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("0", 0), done.stderr
