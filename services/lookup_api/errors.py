"""What can fail in the lookup API, outside of answers to requests.

ServiceError
└── LookupApiError
    ├── OperatorKeyError      the server's file with the operator's key cannot be used
    ├── UnsafeBindingError    without API keys it would be open to a network
    └── ServerStartError      the server process does not come up
"""

from services.errors import ServiceError


class LookupApiError(ServiceError):
    """Base of all errors of this package."""


class OperatorKeyError(LookupApiError):
    """The file with the operator's key cannot be used; the message says why, and what to do."""


class UnsafeBindingError(LookupApiError):
    """Without API keys the lookup API serves this machine alone: configure keys, or bind to 127.0.0.1."""


class ServerStartError(LookupApiError):
    """The server process does not come up; the message carries what it printed."""
