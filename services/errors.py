"""What can fail in services.

ServiceError
├── AnnotationSheetError  a sheet that people have filled in cannot be used
├── DatabaseError         a database cannot be opened as asked
├── DemoError             the demo cannot go on
├── SettingsError         settings that cannot be read or used
├── StateError            a state folder does not hold what is asked of it
├── SimulationError       a simulation cannot be made as asked
└── UnsafeBindingError    without API keys the lookup API would be open to a network
"""

from streams.errors import RehearError


class ServiceError(RehearError):
    """Base of all errors of this package."""


class DatabaseError(ServiceError):
    """A database cannot be opened as asked; the message says what to name instead."""


class AnnotationSheetError(ServiceError):
    """A sheet that people have filled in cannot be used; the message names file and line, and what to do."""


class SimulationError(ServiceError):
    """A simulation cannot be made as asked; the message says which value, and what it may be."""


class SettingsError(ServiceError):
    """Settings that cannot be read or used; the message names the file or variable and the value."""


class StateError(ServiceError):
    """A state folder does not hold what is asked of it; the message says how it comes to hold it."""


class DemoError(ServiceError):
    """The demo cannot go on; the message says which part stands still, or what it answered."""


class UnsafeBindingError(ServiceError):
    """Without API keys the lookup API serves this machine alone: configure keys, or bind to 127.0.0.1."""
