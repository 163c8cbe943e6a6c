"""Boosted trees in serving: models that LightGBM has trained, through the C interface of its library.

The Python package of LightGBM imports scipy, and pandas and scikit-learn where they are installed: seconds,
and 150 MB, of which a prediction needs nothing.
"""

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from labeling.errors import ArtifactError

_FLOAT32: Final = 0  # C_API_DTYPE_FLOAT32
_ROW_MAJOR: Final = 1
_NORMAL: Final = 0  # C_API_PREDICT_NORMAL: probabilities
_ALL_TREES: Final = -1
_LIBRARIES: Final = ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "bin/lib_lightgbm.dll")


class Trees(Protocol):
    """A model as it is trained (`lightgbm.Booster`) or as it is served (`BoostedTrees`)."""

    def predict(self, data: NDArray[np.float32], *, num_threads: int) -> Any:
        """(n,) predictions of (n, features) rows."""
        ...

    def save_model(self, filename: str) -> object:
        """Writes the model as text."""
        ...


class BoostedTrees:
    """A model that has been trained; never changes. Many threads may ask it at once.

    Args:
        text: of the model, as `save_model` writes it.

    Raises:
        ArtifactError: it is no model, or LightGBM is not installed.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._library = _library()
        self._handle = ctypes.c_void_p()
        trees, features = ctypes.c_int(0), ctypes.c_int(0)
        # What is no model at all would be reported on standard output as well.
        if not text.startswith("tree\n"):
            raise ArtifactError("this is no model of boosted trees: train it again")
        self._call(
            "LGBM_BoosterLoadModelFromString",
            ctypes.c_char_p(text.encode()),
            ctypes.byref(trees),
            ctypes.byref(self._handle),
        )
        self._call("LGBM_BoosterGetNumFeature", self._handle, ctypes.byref(features))
        self.features: Final = features.value

    @classmethod
    def load(cls, path: Path) -> "BoostedTrees":
        """Reads a model.

        Raises:
            ArtifactError: there is none, or LightGBM is not installed.
        """
        try:
            return cls(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{path} cannot be read ({error}): train the model again") from error

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.LGBM_BoosterFree(self._handle)

    def save_model(self, filename: str) -> None:
        """Writes the model as text."""
        Path(filename).write_text(self._text, encoding="utf-8")

    def predict(self, data: NDArray[np.float32], *, num_threads: int = 1) -> NDArray[np.float64]:
        """Predictions.

        Args:
            data: (n, features); NaN for what is not known.
            num_threads: that share the rows.

        Returns:
            (n,)

        Raises:
            ArtifactError: the rows have another number of features than the model.
        """
        rows = np.ascontiguousarray(data, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ArtifactError(
                f"rows of shape {rows.shape} for a model of {self.features} features: train it again"
            )
        predictions = np.zeros(len(rows), dtype=np.float64)
        if not len(rows):
            return predictions
        self._call(
            "LGBM_BoosterPredictForMat",
            self._handle,
            rows.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int(_FLOAT32),
            ctypes.c_int32(rows.shape[0]),
            ctypes.c_int32(rows.shape[1]),
            ctypes.c_int(_ROW_MAJOR),
            ctypes.c_int(_NORMAL),
            ctypes.c_int(0),
            ctypes.c_int(_ALL_TREES),
            ctypes.c_char_p(f"num_threads={num_threads} verbosity=-1".encode()),
            ctypes.byref(ctypes.c_int64(0)),
            predictions.ctypes.data_as(ctypes.c_void_p),
        )
        return predictions

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._library, name)(*arguments):
            message = self._library.LGBM_GetLastError().decode(errors="replace")
            raise ArtifactError(f"a model of boosted trees cannot be used ({message}): train it again")


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("lightgbm")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        for name in _LIBRARIES:
            if (path := Path(folder) / name).is_file():
                library = ctypes.CDLL(str(path))  # its calls let other threads run
                library.LGBM_GetLastError.restype = ctypes.c_char_p
                return library
    raise ArtifactError("the library of LightGBM is not found: pip install lightgbm")
