# SPDX-License-Identifier: Apache-2.0
"""A server for all tests of a file, and a database for each."""
from fixtures import running, server, shared  # noqa: F401: fixtures
