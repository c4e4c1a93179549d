# SPDX-License-Identifier: Apache-2.0
"""The engine and the image; whoever asks for neither needs no engine."""
import os

import pytest
from engine import Engine, copy_sources


@pytest.fixture(scope="session")
def engine():
    assert "ENGINE_DIR" in os.environ, "needs a Docker Engine: make containers"
    made = Engine(os.environ["ENGINE_DIR"])
    made.make_base()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def image(engine, tmp_path_factory):
    """The image of the sources as they are here."""
    engine.build("geckotape", copy_sources(tmp_path_factory.mktemp("image") / "geckotape"))
    return "geckotape"

