"""Labels of variants of the label model."""

from pathlib import Path

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.variant_output import VariantFolder, VariantOutput, hash_of_inputs
from services.evaluation.labels.file import read_labels
from services.evaluation.labels.split import LabelSplit
from services.evaluation.labels.variants import LabelVariant
from services.settings import Settings

VariantLabels = VariantOutput[TurnLabel]
"""What a variant says of the test log."""


def inputs_key(split: LabelSplit, settings: Settings, variant: LabelVariant) -> str:
    """SHA-256 of all that the labels of a variant depend on, the version of Rehear left aside."""
    return hash_of_inputs(
        [variant, settings.labels, settings.rephrases], [split.train, split.test], split.annotations
    )


def label_folder(path: Path) -> VariantFolder[TurnLabel]:
    """The folder with the labels of the variants, as `rehear evaluate labels` reads them."""
    return VariantFolder(path, read_labels)
