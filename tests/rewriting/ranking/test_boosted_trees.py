from pathlib import Path

import lightgbm
import numpy as np
import pytest

from labeling.errors import ArtifactError
from rewriting.ranking.boosted_trees import BoostedTrees


@pytest.fixture(scope="module")
def trained() -> lightgbm.Booster:
    drawn = np.random.default_rng(3).standard_normal((400, 6)).astype(np.float32)
    drawn[::7, 2] = np.nan
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(drawn, drawn[:, 0] + drawn[:, 1] > 0), 20)


def test_it_predicts_what_lightgbm_does(trained: lightgbm.Booster, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    trained.save_model(str(path))
    served = BoostedTrees.load(path)
    rows = np.random.default_rng(4).standard_normal((50, 6)).astype(np.float32)
    rows[::3, 1] = np.nan
    expected = trained.predict(rows, num_threads=1)
    assert np.array_equal(served.predict(rows), expected)
    assert np.array_equal(served.predict(np.asfortranarray(rows)), expected)
    assert np.array_equal(served.predict(rows[7:8]), expected[7:8])
    assert served.predict(rows[:0]).shape == (0,)

    served.save_model(str(tmp_path / "again.txt"))
    assert np.array_equal(BoostedTrees.load(tmp_path / "again.txt").predict(rows), expected)


@pytest.mark.parametrize("text", ["", "no model", "tree\n", "tree\nversion=v4\nnum_class=1\n"])
def test_what_is_no_model_is_a_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text(text)
    with pytest.raises(ArtifactError, match="train"):
        BoostedTrees.load(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        BoostedTrees.load(tmp_path / "missing.txt")


def test_rows_of_another_width_are_refused(trained: lightgbm.Booster) -> None:
    served = BoostedTrees(trained.model_to_string())
    with pytest.raises(ArtifactError, match="6 features"):
        served.predict(np.zeros((2, 5), np.float32))
