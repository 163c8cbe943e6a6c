"""What can fail in services.

ServiceError
└── SimulationError   a simulation cannot be made as asked
"""


class ServiceError(Exception):
    """Base of all errors of this package."""

    retriable = False


class SimulationError(ServiceError):
    """A simulation cannot be made as asked; the message says which value, and what it may be."""
