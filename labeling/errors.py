"""What can fail in labeling.

LabelingError
├── AnnotationDecodeError   a line is not an annotation
├── AnnotationFileError     a file of annotations cannot be read
├── LabelTrainingError      a label model cannot be trained as asked, or from this log
├── LabelInputError         dialogue that cannot be labelled
├── EncoderBaseError        no model to start the training of an encoder from
├── EncoderTrainingError    an encoder cannot be trained as asked
└── ArtifactError           an artifact on disk is missing, damaged or not the one asked for
"""

from streams.errors import RehearError


class LabelingError(RehearError):
    """Base of all errors of this package."""


class AnnotationDecodeError(LabelingError, ValueError):
    """A line is not an annotation; the message says what is wrong, and where in the line."""


class AnnotationFileError(LabelingError):
    """A file of annotations cannot be read; the message names the file, the line, and what to do."""


class LabelTrainingError(LabelingError, ValueError):
    """A label model cannot be trained as asked, or from this log; the message says why."""


class LabelInputError(LabelingError, ValueError):
    """Dialogue that cannot be labelled; the message says what is wrong with it, and what to do."""


class EncoderBaseError(LabelingError):
    """No model to start the training of an encoder from; the message says where it was sought."""


class EncoderTrainingError(LabelingError, ValueError):
    """A setting or an example of an encoder's training is out of range; the message says which."""


class ArtifactError(LabelingError):
    """An artifact on disk is missing, damaged or not the one asked for; the message says which file."""
