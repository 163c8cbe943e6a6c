"""What can fail in the lookup API, outside of answers to requests.

ServiceError
└── LookupApiError
    ├── OperatorKeyError      the server's file with the operator's key cannot be used
    └── ServerStartError      the server process does not come up
"""

from services.errors import ServiceError


class LookupApiError(ServiceError):
    """Base of all errors of this package."""


class OperatorKeyError(LookupApiError):
    """The file with the operator's key cannot be used; the message says why, and what to do."""


class ServerStartError(LookupApiError):
    """The server process does not come up; the message carries what it printed."""
