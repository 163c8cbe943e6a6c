"""What can fail in services.

ServiceError
├── DatabaseError     a database cannot be opened as asked
└── SimulationError   a simulation cannot be made as asked
"""


class ServiceError(Exception):
    """Base of all errors of this package."""

    retriable = False


class DatabaseError(ServiceError):
    """A database cannot be opened as asked; the message says what to name instead."""


class SimulationError(ServiceError):
    """A simulation cannot be made as asked; the message says which value, and what it may be."""
