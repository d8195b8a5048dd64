from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from swarmage.bus.receipt import Receipts
from swarmage.errors import BusRefused, ConnectionLost

from ..fakes import SECONDS


def test_a_settled_receipt_is_confirmed() -> None:
    receipts = Receipts()
    number, receipt = receipts.expect()
    receipts.settle(number)
    assert receipt.wait(0)
    assert receipt.wait(0)


def test_each_receipt_has_a_number_of_its_own() -> None:
    receipts = Receipts()
    assert len({receipts.expect()[0] for _ in range(100)}) == 100


def test_an_unsettled_receipt_is_not_confirmed() -> None:
    receipts = Receipts()
    number, receipt = receipts.expect()
    _, other = receipts.expect()
    receipts.settle(number)
    assert not other.wait(0)
    assert receipt.wait(0)


def test_a_refusal_is_raised_where_it_is_waited_for() -> None:
    receipts = Receipts()
    number, receipt = receipts.expect()
    heard: SimpleQueue[BaseException] = SimpleQueue()

    def wait() -> None:
        try:
            receipt.wait(SECONDS)
        except BusRefused as error:
            heard.put(error)

    thread = threading.Thread(target=wait)
    thread.start()
    receipts.settle(number, BusRefused("no such queue"))
    assert "no such queue" in str(heard.get(timeout=SECONDS))
    thread.join(SECONDS)


def test_an_ended_connection_settles_all_that_are_left_and_no_other() -> None:
    receipts = Receipts()
    first, confirmed = receipts.expect()
    receipts.settle(first)
    waiting = [receipts.expect()[1] for _ in range(3)]
    receipts.fail_all(ConnectionLost("gone"))
    assert confirmed.wait(0)
    for receipt in waiting:
        with pytest.raises(ConnectionLost):
            receipt.wait(0)
    assert not receipts.expect()[1].wait(0)


def test_a_receipt_that_nobody_waits_for_is_passed_over() -> None:
    receipts = Receipts()
    number, receipt = receipts.expect()
    receipts.forget(number)
    receipts.settle(number)
    receipts.settle("r999")
    receipts.fail_all(ConnectionLost("gone"))
    assert not receipt.wait(0)
