"""What can fail in rewriting.

RewritingError
├── ChainError              a chain cannot be solved as asked
├── ChainSettingsError      a setting of the chains is out of range
├── AnswerSettingsError     a setting of the rewrites after a question is out of range
├── GuardSettingsError      a setting of the guards is out of range
├── ServingSettingsError    a setting of serving is out of range
├── RephraseSettingsError   a setting of rephrase detection is out of range
├── RewriteTableError       a request to the rewrite table that cannot be met
│   ├── UnknownRewriteError     no such rewrite
│   ├── UnknownVersionError     no such version of the table
│   └── SchemaVersionError      the database belongs to another version of Rehear
├── RewriteConflictError    somebody else changed the table since it was read
├── RephraseTrainingError   a detector of rephrases cannot be trained as asked, or from this log
├── RephraseInputError      dialogue in which no rephrases can be sought
└── VectorError             vectors that cannot be indexed, or searched for

What fails with artifacts and with the bases of encoders is in `labeling.errors`.
"""

from streams.errors import RehearError


class RewritingError(RehearError):
    """Base of all errors of this package."""


class ChainError(RewritingError):
    """A chain cannot be solved as asked; the message says which value is out of range."""


class ChainSettingsError(RewritingError, ValueError):
    """A setting of the chains is out of range; the message says which, and what it must be."""


class AnswerSettingsError(RewritingError, ValueError):
    """A setting of the rewrites after a question is out of range; the message says which."""


class GuardSettingsError(RewritingError, ValueError):
    """A setting of the guards is out of range; the message says which, and what it must be."""


class ServingSettingsError(RewritingError, ValueError):
    """A setting of serving is out of range; the message says which, and what it must be."""


class RephraseSettingsError(RewritingError, ValueError):
    """A setting of rephrase detection is out of range; the message says which, and what it must be."""


class RewriteTableError(RewritingError):
    """A request to the rewrite table that cannot be met."""


class UnknownRewriteError(RewriteTableError):
    """No rewrite has this id for this assistant."""


class UnknownVersionError(RewriteTableError):
    """The table of this assistant has no such version."""


class SchemaVersionError(RewriteTableError):
    """The database belongs to a newer version of Rehear: upgrade, or point to another database."""


class RewriteConflictError(RewritingError):
    """Somebody else changed the table since it was read: read it again and repeat."""

    retriable = True


class RephraseTrainingError(RewritingError, ValueError):
    """A detector of rephrases cannot be trained as asked, or from this log; the message says why."""


class RephraseInputError(RewritingError, ValueError):
    """Dialogue in which no rephrases can be sought; the message says what is wrong with it."""


class VectorError(RewritingError, ValueError):
    """Vectors that cannot be indexed, or searched for; the message says what is wrong with them."""
