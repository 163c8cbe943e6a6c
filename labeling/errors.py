"""What can fail in labeling.

LabelingError
├── AnnotationDecodeError   a line is not an annotation
├── AnnotationFileError     a file of annotations cannot be read
├── LabelTrainingError      a label model cannot be trained as asked, or from this log
└── LabelInputError         dialogue that cannot be labelled
"""


class LabelingError(Exception):
    """Base of all errors of this package."""

    retriable = False


class AnnotationDecodeError(LabelingError, ValueError):
    """A line is not an annotation; the message says what is wrong, and where in the line."""


class AnnotationFileError(LabelingError):
    """A file of annotations cannot be read; the message names the file, the line, and what to do."""


class LabelTrainingError(LabelingError, ValueError):
    """A label model cannot be trained as asked, or from this log; the message says why."""


class LabelInputError(LabelingError, ValueError):
    """Dialogue that cannot be labelled; the message says what is wrong with it, and what to do."""
