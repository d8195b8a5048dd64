"""`swarmage doctor` and the figures of `swarmage status` on each bus, as it is configured for the promises."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from conftest import SECONDS, Engine, eventually

from benchmarks.brokers import ActiveMQ
from benchmarks.rabbitmq import UNTAGGED, RabbitMQ
from swarmage import Client, Worker, ability
from swarmage.bus.bus import Bus
from swarmage.bus.publish import publish
from swarmage.client.asking import Asking
from swarmage.client.figures.activemq import ask, read_map
from swarmage.clock import SYSTEM_CLOCK
from swarmage.settings import Address
from swarmage.wire.message import Message

pytestmark = pytest.mark.needs("processes")

OURS = {"name", "waiting", "in_flight", "consumers", "in", "out", "acked", "task_class"}
"""What every bus tells of a queue, under the same name."""


def told(engine: Engine) -> str:
    """Return the URL with which the bus tells its figures."""
    if isinstance(engine.broker, RabbitMQ):
        return f"{engine.url}{'&' if '?' in engine.url else '?'}management={engine.broker.management}"
    return engine.url


def without_libraries(engine: Engine) -> bool:
    return isinstance(engine.broker, ActiveMQ) and not engine.broker.libraries()


def need_libraries(engine: Engine) -> None:
    if without_libraries(engine):
        missing = "XStream and Jettison are not installed: apt-get install libxstream-java libjettison-java"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


def doctor(engine: Engine, url: str, code: int = 0) -> dict[str, dict[str, str]]:
    process = engine.process("doctor", "--json", url)
    output = process.communicate(timeout=4 * SECONDS)[0]
    assert process.returncode == code, output
    assert engine.broker.address.passcode not in output
    found = json.loads(output[output.index("{") :])
    assert found["bus"].startswith(f"stomp://{engine.broker.address.login}:***@")
    return {check["name"]: check for check in found["checks"]}


def test_a_bus_that_is_configured_as_the_documents_say_has_no_error(engine: Engine) -> None:
    found = doctor(engine, told(engine))
    expected = {"drones": "warning"}
    if engine.name != "embedded":
        expected["version"] = "warning"  # those of Debian are old
    if isinstance(engine.broker, RabbitMQ):
        expected["consumer timeout"] = "unknown"
    if without_libraries(engine):
        expected["figures"] = "warning"
    # how fast a machine is that does something else besides is no matter of its configuration
    slow = {"receipts", "round trip", "delay"}
    states = {name: check["state"] for name, check in found.items() if check["state"] != "ok"}
    assert {name: state for name, state in states.items() if name not in slow or state == "error"} == expected, found
    assert all(check["advice"] for check in found.values() if check["state"] != "ok")


class Waiting(Worker):
    @ability("waiting")
    def wait(self) -> None: ...


def test_status_tells_how_many_tasks_wait(engine: Engine) -> None:
    need_libraries(engine)
    name = f"{engine.prefix}.waits"
    with Client(told(engine), timeout=20.0) as client:
        client.insert_many(name, [(), (), ()], reply=False)
        if engine.name != "activemq":  # which does not tell what is delayed
            client.insert_task(_delayed(name), reply=False)
        found: dict[str, Any] = {}

        def seen() -> bool:  # RabbitMQ tells it up to five seconds later
            found.update({queue["task_class"]: queue for queue in client.status(10.0)["queues"]})
            queue = found.get(name, {"waiting": 0})
            return bool(queue["waiting"] == 3 and queue.get("delayed", 1) == 1)

        eventually(seen)
    assert found[name].keys() >= OURS
    assert found[name]["consumers"] == found[name]["in_flight"] == 0


def _delayed(name: str) -> Any:
    from swarmage import Task

    return Task(task_class=name, delay=3600.0)


def test_status_says_what_is_missing_where_nothing_is_told(engine: Engine) -> None:
    if isinstance(engine.broker, RabbitMQ):
        url, says = (
            told(engine).replace("//swarm:", f"//{UNTAGGED}:"),
            f"rabbitmqctl set_user_tags {UNTAGGED} monitoring",
        )
    elif without_libraries(engine):
        url, says = engine.url, "apt-get install libxstream-java libjettison-java"
    else:
        return  # it tells
    with Client(url, timeout=20.0) as client:
        found = client.status(10.0)
    assert found["queues"] == []
    assert says in found["bus"]["note"]
    assert engine.broker.address.passcode not in str(found)


def test_queues_of_another_kind_are_an_error(engine: Engine) -> None:
    if not isinstance(engine.broker, RabbitMQ):
        return
    name = f"{engine.prefix}.other"
    other = engine.url.partition("?")[0] + ("" if "?" in engine.url else "?queues=classic")
    bus = Bus(Address.parse(other))
    bus.start(SECONDS)
    try:
        message = Message(f"/queue/swarmage.reply.{name}", b"x", "none", expires=60.0)
        publish(bus, [message], SECONDS)  # a reply queue: it is deleted by itself, and nobody else meets it
        checks: dict[str, dict[str, str]] = {}

        def seen() -> bool:
            checks.update(doctor_of_queues(told(engine)))
            return checks["queue types"]["state"] == "error"

        eventually(seen)
    finally:
        bus.stop()
    assert name in checks["queue types"]["seen"]


def doctor_of_queues(url: str) -> dict[str, dict[str, str]]:
    from swarmage.client.doctor.bench import Bench
    from swarmage.client.doctor.upkeep import queue_types

    bus = Bus(Address.parse(url))
    bus.start(SECONDS)
    try:
        return {"queue types": queue_types(Bench(bus, SYSTEM_CLOCK, None, 0.0))._asdict()}
    finally:
        bus.stop()


def test_the_queues_of_the_doctor_do_not_stay_on_activemq(engine: Engine) -> None:
    if not isinstance(engine.broker, ActiveMQ):
        return
    need_libraries(engine)
    doctor(engine, engine.url)
    bus = Bus(Address.parse(engine.url))
    bus.start(SECONDS)

    def queues() -> list[str]:
        with Asking(bus, SECONDS, SYSTEM_CLOCK, {"transformation": "jms-map-json"}) as asking:
            for name in ("Destination.swarmage.doctor.>", "Broker"):
                ask(bus, asking, name, SYSTEM_CLOCK)
            found: list[str] = []
            while (delivery := asking.next()) is not None:
                told = read_map(delivery.body)
                if "destinationName" not in told:
                    return found
                found.append(told["destinationName"])
        raise AssertionError("it does not answer")

    try:
        assert queues()
        eventually(lambda: not queues())
    finally:
        bus.stop()
