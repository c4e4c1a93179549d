# SPDX-License-Identifier: Apache-2.0
"""A server for all tests of a file, and a database for each."""
import pytest
from postgres import Server, binaries


@pytest.fixture(scope="module")
def running():
    if binaries() is None:
        pytest.skip("no PostgreSQL here")
    made = Server()
    yield made
    made.remove()


@pytest.fixture
def server(running):
    running.create("etl")
    return running
