"""What people are told of the sessions behind a rewrite, where some of their requests were rewritten."""

import msgspec
import pytest
from databases import *  # noqa: F403
