from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.client import reply as module
from swarmage.client.heard import Progress
from swarmage.client.reply import Reply
from swarmage.errors import ConfigError, ConnectionLost, ReplyTimeout, TaskFailed
from swarmage.outcome import Failure
from swarmage.wire.envelope import ReplyBody

from ..fakes import SECONDS, FakeClock


def result(value: Any = None) -> ReplyBody:
    return ReplyBody(id="1", kind="result", value=value)


def part(value: Any) -> ReplyBody:
    return ReplyBody(id="1", kind="part", value=value)


def progress(done: float) -> ReplyBody:
    return ReplyBody(id="1", kind="progress", value=[done, 10, "on the way"])


ERROR = ReplyBody(id="1", kind="error", failure=Failure("ValueError", "boo", "Traceback: line 3"))


@pytest.fixture
def reply() -> Reply[Any]:
    return Reply("1", "text.census")


def in_thread(call: Callable[[], Any]) -> SimpleQueue[Any]:
    """Return where the call's result or error will be."""
    ended: SimpleQueue[Any] = SimpleQueue()

    def run() -> None:
        try:
            ended.put(call())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            ended.put(error)

    threading.Thread(target=run, daemon=True).start()
    return ended


def test_a_result_that_is_there_is_returned_as_often_as_asked_for(reply: Reply[Any]) -> None:
    assert not reply.done
    reply.heard.deliver(result({"a": 1}))
    assert reply.done
    assert [reply.result(0), reply.result(0)] == [{"a": 1}, {"a": 1}]


def test_who_waits_is_woken_by_the_result(reply: Reply[Any]) -> None:
    ended = in_thread(lambda: reply.result(SECONDS))
    reply.heard.deliver(result(7))
    assert ended.get(timeout=SECONDS) == 7


def test_all_who_wait_are_woken(reply: Reply[Any]) -> None:
    ended = [in_thread(lambda: reply.result(SECONDS)) for _ in range(5)]
    reply.heard.deliver(result(7))
    assert [each.get(timeout=SECONDS) for each in ended] == [7] * 5


def test_none_is_a_result(reply: Reply[Any]) -> None:
    reply.heard.deliver(result(None))
    assert reply.result(0) is None


def test_a_reply_that_does_not_come_in_time_can_be_waited_for_again(reply: Reply[Any]) -> None:
    with pytest.raises(ReplyTimeout, match=r"text\.census 1"):
        reply.result(0.01)
    reply.heard.deliver(result(1))
    assert reply.result(0) == 1


def test_the_deadline_is_measured_with_the_clock_that_was_passed_in() -> None:
    class Impatient(FakeClock):
        def monotonic(self) -> float:
            self.advance(100)
            return super().monotonic()

    with pytest.raises(ReplyTimeout):
        Reply("1", "a", clock=Impatient()).result(50)


def test_a_failed_task_raises_with_its_remote_traceback(reply: Reply[Any]) -> None:
    reply.heard.deliver(ERROR)
    for _ in range(2):
        with pytest.raises(TaskFailed, match="ValueError: boo") as caught:
            reply.result(0)
    assert caught.value.traceback == "Traceback: line 3"


def numbered(number: int) -> ReplyBody:
    return ReplyBody(id="1", kind="part", value=number, place=("", number))


@pytest.mark.parametrize("coming", [(2, 0, 1, 3), (0, 3, 2, 1), (1, 0, 2, 0, 2, 3)], ids=str)
def test_a_result_that_overtakes_responses_waits_for_them(reply: Reply[Any], coming: tuple[int, ...]) -> None:
    end = ReplyBody(id="1", kind="result", value="end", place=("", 3))
    for number in coming:
        assert not reply.done
        reply.heard.deliver(numbered(number) if number else end)
    assert reply.done
    assert reply.responses == [1, 2, 3]
    assert reply.result(0) == "end"


def test_a_result_that_waits_for_responses_is_not_undone_by_an_error_of_a_copy(reply: Reply[Any]) -> None:
    reply.heard.deliver(ReplyBody(id="1", kind="result", value="end", place=("", 1)))
    reply.heard.deliver(ERROR)
    assert not reply.done
    reply.heard.deliver(numbered(1))
    assert reply.result(0) == "end"


def test_a_result_whose_responses_do_not_come_ends_with_the_next_attempt_or_without_them(reply: Reply[Any]) -> None:
    first = ReplyBody(id="1", kind="result", value="first", place=("", 2))
    reply.heard.deliver(first)
    reply.heard.deliver(numbered(2))
    reply.heard.end_without_the_rest()
    assert reply.result(0) == "first"
    assert reply.responses == [2]
    other: Reply[Any] = Reply("1", "a")
    other.heard.deliver(first)
    other.heard.deliver(numbered(1))
    other.heard.deliver(ReplyBody(id="1", kind="result", attempt=2, value="second", place=("", 1)))
    assert other.result(0) == "second"


@pytest.mark.parametrize("copy", [result(2), ERROR, part(9)], ids=["result", "error", "part"])
def test_after_the_end_copies_are_ignored(reply: Reply[Any], copy: ReplyBody) -> None:
    reply.heard.deliver(result(1))
    reply.heard.deliver(copy)
    assert reply.result(0) == 1
    assert list(reply) == [1]


def test_an_error_is_not_undone_by_a_late_result(reply: Reply[Any]) -> None:
    reply.heard.deliver(ERROR)
    reply.heard.deliver(result(1))
    with pytest.raises(TaskFailed):
        reply.result(0)


def test_the_result_is_what_the_ability_announced() -> None:
    reply: Reply[Path] = Reply("1", "a", kind=Path)
    reply.heard.deliver(result("/usr/share"))
    assert reply.result(0) == Path("/usr/share")


@pytest.mark.parametrize("value", ["not a number", None, math.nan])
def test_a_result_that_was_not_announced_is_better_than_nothing(value: Any) -> None:
    reply: Reply[int] = Reply("1", "a", kind=int)
    reply.heard.deliver(result(value))
    assert reply.result(0) is value


def test_iterating_returns_the_responses_then_the_result(reply: Reply[Any]) -> None:
    for body in (part("a"), part("b"), result("c")):
        reply.heard.deliver(body)
    assert list(reply) == ["a", "b", "c"]


def test_responses_come_while_the_task_runs(reply: Reply[Any]) -> None:
    parts = reply.parts(SECONDS)
    reply.heard.deliver(part("a"))
    assert next(parts) == "a"
    ended = in_thread(lambda: next(parts))
    reply.heard.deliver(part("b"))
    assert ended.get(timeout=SECONDS) == "b"
    reply.heard.deliver(result(None))
    assert list(parts) == []


def test_a_task_that_only_returns_is_iterated_once(reply: Reply[Any]) -> None:
    reply.heard.deliver(result(None))
    assert list(reply) == [None]


def test_iterating_raises_what_the_task_ended_with_after_its_responses(reply: Reply[Any]) -> None:
    reply.heard.deliver(part("a"))
    reply.heard.deliver(ERROR)
    parts = iter(reply)
    assert next(parts) == "a"
    with pytest.raises(TaskFailed):
        next(parts)


def test_iterating_has_a_deadline_too(reply: Reply[Any]) -> None:
    with pytest.raises(ReplyTimeout):
        next(reply.parts(0.01))


def test_progress_is_told_in_the_waiting_thread(reply: Reply[Any]) -> None:
    told: list[tuple[Progress, str]] = []
    heard = threading.Event()

    def tell(news: Progress) -> None:
        told.append((news, threading.current_thread().name))
        heard.set()

    reply.heard.deliver(progress(3))
    names: list[str] = []

    def wait() -> Any:
        names.append(threading.current_thread().name)
        return reply.result(SECONDS, progress=tell)

    ended = in_thread(wait)
    assert heard.wait(SECONDS)
    assert not reply.done
    reply.heard.deliver(result(1))
    assert ended.get(timeout=SECONDS) == 1
    assert told == [(Progress(3, 10, "on the way"), names[0])]


def test_progress_is_no_result(reply: Reply[Any]) -> None:
    reply.heard.deliver(progress(3))
    with pytest.raises(ReplyTimeout):
        reply.result(0.01)
    with pytest.raises(ReplyTimeout):
        next(reply.parts(0.01))


def test_a_coroutine_can_await_it(reply: Reply[Any]) -> None:
    async def main() -> list[Any]:
        waiting = [asyncio.ensure_future(_awaited(reply)) for _ in range(3)]
        await asyncio.to_thread(reply.heard.deliver, result(7))
        async with asyncio.timeout(SECONDS):
            return await asyncio.gather(*waiting, _awaited(reply))

    assert asyncio.run(main()) == [7] * 4


async def _awaited(reply: Reply[Any]) -> Any:
    return await reply


def test_awaiting_a_failed_task_raises(reply: Reply[Any]) -> None:
    reply.heard.deliver(ERROR)
    with pytest.raises(TaskFailed):
        asyncio.run(_awaited(reply))


def test_awaiting_has_a_deadline_and_can_be_shortened(reply: Reply[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with asyncio.timeout(0.01):
            await reply

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    monkeypatch.setattr(module, "DEFAULT_TIMEOUT", 0.01)
    with pytest.raises(ReplyTimeout):
        asyncio.run(_awaited(reply))
    reply.heard.deliver(result(1))  # the loops that waited are closed: that must not hurt
    assert reply.result(0) == 1


@pytest.mark.parametrize(
    "wait",
    [lambda reply: reply.result(0), list, lambda reply: asyncio.run(_awaited(reply))],
    ids=["result", "iter", "await"],
)
def test_waiting_for_what_nobody_will_send_is_refused_at_once(wait: Callable[[Any], Any]) -> None:
    with pytest.raises(ConfigError, match="reply=False"):
        wait(Reply("1", "a", asked=False))


def test_a_reply_says_what_it_is(reply: Reply[Any]) -> None:
    assert repr(reply) == "<reply to text.census 1: waiting>"
    reply.heard.deliver(result(1))
    assert repr(reply) == "<reply to text.census 1: result>"


def test_a_coroutine_takes_responses_as_they_come(reply: Reply[Any]) -> None:
    async def main() -> list[Any]:
        taken = []
        async for part_ in reply:
            taken.append(part_)
            if len(taken) == 1:
                await asyncio.to_thread(reply.heard.deliver, part("b"))
            elif len(taken) == 2:
                await asyncio.to_thread(reply.heard.deliver, result(None))
        return taken

    reply.heard.deliver(part("a"))
    assert asyncio.run(main()) == ["a", "b"]


def test_iterating_in_a_coroutine_raises_and_has_a_deadline(reply: Reply[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[Any]:
        return [part async for part in reply]

    monkeypatch.setattr(module, "DEFAULT_TIMEOUT", 0.01)
    with pytest.raises(ReplyTimeout):
        asyncio.run(main())
    reply.heard.deliver(ERROR)
    with pytest.raises(TaskFailed):
        asyncio.run(main())


def test_who_waits_in_a_coroutine_is_told_when_nothing_will_come(reply: Reply[Any]) -> None:
    async def main() -> None:
        waiting = asyncio.ensure_future(_awaited(reply))
        await asyncio.to_thread(reply.heard.abandon, ConnectionLost("closed"))
        async with asyncio.timeout(SECONDS):
            await waiting

    with pytest.raises(ConnectionLost):
        asyncio.run(main())


def test_it_says_when_a_worker_has_begun(reply: Reply[Any]) -> None:
    assert not reply.begun(0.01)
    ended = in_thread(lambda: reply.begun(SECONDS))
    reply.heard.deliver(ReplyBody(id="1", kind="begun"))
    assert ended.get(timeout=SECONDS) is True
    assert not reply.done


def test_a_copy_of_a_response_is_heard_once(reply: Reply[Any]) -> None:
    for number in (2, 1, 1, 2):
        reply.heard.deliver(ReplyBody(id="1", kind="part", value=number, place=("", number)))
    reply.heard.deliver(result(None))
    assert list(reply) == [1, 2]
