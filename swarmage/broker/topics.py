"""Who listens to which topics."""

from __future__ import annotations

import re

from swarmage.broker.subscription import Subscription

_WILD = {"*", ">", "#"}


class Topics:
    """Subscriptions to ``/topic/NAME``, with ``*`` for one dot-separated word and ``>`` or ``#`` for the rest."""

    def __init__(self) -> None:
        self._exact: dict[str, list[Subscription]] = {}
        self._wild: dict[Subscription, re.Pattern[str]] = {}

    def add(self, subscription: Subscription) -> None:
        """Let the subscription hear its destination."""
        name = subscription.destination
        if _WILD.isdisjoint(_words(name)):
            self._exact.setdefault(name, []).append(subscription)
        else:
            self._wild[subscription] = _compile(name)

    def discard(self, subscription: Subscription) -> None:
        """Let the subscription hear nothing more."""
        self._wild.pop(subscription, None)
        listeners = self._exact.get(subscription.destination, [])
        if subscription in listeners:
            listeners.remove(subscription)
            if not listeners:
                del self._exact[subscription.destination]

    def listeners(self, name: str) -> list[Subscription]:
        """Return everybody who hears this topic."""
        found = list(self._exact.get(name, ()))
        found += [subscription for subscription, pattern in self._wild.items() if pattern.fullmatch(name)]
        return found

    def counts(self) -> dict[str, int]:
        """Return how many listen to each name or pattern."""
        counts = {name: len(listeners) for name, listeners in self._exact.items()}
        for subscription in self._wild:
            counts[subscription.destination] = counts.get(subscription.destination, 0) + 1
        return counts


def _words(name: str) -> list[str]:
    return name.removeprefix("/topic/").split(".")


def _compile(name: str) -> re.Pattern[str]:
    expression = ""
    for word in _words(name):
        dot = r"\." if expression else ""
        if word in {">", "#"}:
            expression += rf"(?:{dot}.*)?"
            break
        expression += dot + (r"[^.]*" if word == "*" else re.escape(word))
    return re.compile("/topic/" + expression, re.DOTALL)
