"""One server for all real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from performance import Audience, Performance
from servers import Served, serving

from oscbend.server.client import Client


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving("--steps", "1", "--noise", "hold") as one:
        yield one


@pytest.fixture(scope="session")
def performance(served: Served) -> Iterator[Performance]:
    audience = Audience(served.frames)
    with Client(served.host, served.port) as client:
        yield Performance(client, audience)
    audience.close()
