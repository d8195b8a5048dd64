"""What happens to a cluster of RabbitMQ: which node leads a queue, and a node that the others do not reach."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from benchmarks.rabbitmq import RabbitMQ
from benchmarks.rabbitmq_cluster import Cluster

_LEADER = """\
{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),
{{Name, _}} = amqqueue:get_pid(Queue),
{{ok, _, {{_, Leader}}}} = ra:members({{Name, node()}}),
Leader.
"""


def whole(cluster: Cluster) -> bool:
    """Say whether all nodes run and know each other."""
    try:
        running = [node.evaluate("length(rabbit_nodes:all_running()).") for node in cluster.nodes]
    except RuntimeError:
        return False
    return running == ["3"] * 3


def away(cluster: Cluster, node: RabbitMQ) -> bool:
    """Say whether the other nodes count this one as away, and know each other."""
    others = [each for each in cluster.nodes if each is not node]
    try:
        running = [other.evaluate("lists:sort(rabbit_nodes:all_running()).") for other in others]
    except RuntimeError:
        return False
    return running == [f"[{', '.join(other.node for other in others)}]"] * 2


def leader(cluster: Cluster, destination: str) -> RabbitMQ:
    """Return the node through which all of a queue goes at present, as the nodes that are there know it."""
    asked = _LEADER.format(queue=destination.removeprefix("/queue/"))
    for node in cluster.nodes:
        with contextlib.suppress(RuntimeError):
            name = node.evaluate(asked)
            return next(each for each in cluster.nodes if each.node == name)
    raise AssertionError(f"no node knows who leads {destination}")


@contextlib.contextmanager
def cut_off(cluster: Cluster, node: RabbitMQ) -> Iterator[None]:
    """Let the other nodes neither reach this one nor be reached by it; clients do reach it.

    They refuse its cookie, which is what nodes ask of each other before they talk: so nobody needs to be root. Both
    sides notice at once; `frozen` is for a silence that they do not notice.
    """
    others = [each for each in cluster.nodes if each is not node]
    for other in others:
        other.evaluate(f"erlang:set_cookie('{node.node}', refused), erlang:disconnect_node('{node.node}').")
    try:
        yield
    finally:
        for other in others:
            other.evaluate(f"erlang:set_cookie('{node.node}', erlang:get_cookie()).")


@contextlib.contextmanager
def killed(node: RabbitMQ) -> Iterator[None]:
    """Kill a node, and start it again."""
    node.kill()
    try:
        yield
    finally:
        node.start()


@contextlib.contextmanager
def frozen(node: RabbitMQ) -> Iterator[None]:
    """Let a node do nothing, with all its connections open: what a machine that hangs or a pulled cable looks like.

    Then it is killed and started again, as one does with a machine that hangs.
    """
    os.killpg(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        node.kill()
        node.start()
