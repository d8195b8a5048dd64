from __future__ import annotations

from swarmage.wire import names


def test_destinations_are_spelled_as_the_wire_format_says() -> None:
    assert names.task_destination("text.census") == "/queue/swarmage.task.text.census"
    assert names.reply_destination("abc") == "/queue/swarmage.reply.abc"
    assert names.DEAD == "/queue/swarmage.dead"
    assert names.CONTROL == "/topic/swarmage.control"
    assert names.STATISTICS == "/bus/statistics"


def test_a_task_class_is_read_from_its_queue_and_from_no_other() -> None:
    assert names.task_class_of("/queue/swarmage.task.text.census") == "text.census"
    assert names.task_class_of("/queue/swarmage.dead") is None
    assert names.task_class_of("/queue/other./queue/swarmage.task.a") is None


def test_only_reply_queues_may_be_answered_to() -> None:
    assert names.is_reply_destination(names.reply_destination("abc"))
    for other in (names.DEAD, names.task_destination("a"), names.CONTROL, "", "x/queue/swarmage.reply.a"):
        assert not names.is_reply_destination(other)
