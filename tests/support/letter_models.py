"""The models that workers use in the tests: their answers are known."""

from letter_detector import LetterDetector
from letter_failures import LetterFailures
from letter_labels import LetterLabels

from services.processes.worker import ModelLoaders

LETTER_MODELS = ModelLoaders(
    detector=LetterDetector.load, generator=LetterLabels.load, isolator=LetterFailures.load
)
