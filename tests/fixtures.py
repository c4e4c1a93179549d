# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for tests: the conftest.py of a folder imports these; who wants one has it as an argument."""
import pytest
from postgres import Server, binaries


@pytest.fixture(scope="module")
def running():
    """A server for all tests of a file, without a database yet."""
    if binaries() is None:
        pytest.skip("no PostgreSQL here")
    made = Server()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shared(running):
    """It, with one database for all tests of the file."""
    running.create("etl")
    return running


@pytest.fixture
def server(running):
    """It, with a new database for each test."""
    running.create("etl")
    return running
