from __future__ import annotations

import pytest
from processes import DEADLINE

from swarmage import Client
from tests.unit.drone.conftest import Start
from tests.unit.drone.coroutines.test_async_worker import Fetch

pytestmark = pytest.mark.acceptance

SLOTS = 10_000


def test_ten_thousand_slots_are_ten_thousand_tasks_at_once(start: Start, client: Client) -> None:
    start(Fetch, concurrency={"Fetch": SLOTS})
    client.insert_many("meet", [SLOTS] * (SLOTS - 1), reply=False)
    assert client.insert("meet", SLOTS).result(DEADLINE) == SLOTS
