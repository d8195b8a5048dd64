"""Who listens to which topics: subscriptions, or the durable ones of those who may be away."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

_REST = {">", "#"}
_WILD = {"*", *_REST}


class Listener(Protocol):
    """Who hears the topics that its destination names."""

    @property
    def destination(self) -> str:
        """The full name of a topic, or a pattern of them."""
        ...


Hears = TypeVar("Hears", bound=Listener)


class Topics(Generic[Hears]):
    """Subscriptions to ``/topic/NAME``, with ``*`` for one dot-separated word and ``>`` or ``#`` for the rest."""

    def __init__(self) -> None:
        self._exact: dict[str, list[Hears]] = {}
        self._wild: dict[Hears, list[str]] = {}

    def add(self, subscription: Hears) -> None:
        """Let the subscription hear its destination."""
        name = subscription.destination
        words = _words(name)
        if _WILD.isdisjoint(words):
            self._exact.setdefault(name, []).append(subscription)
        else:
            self._wild[subscription] = words

    def discard(self, subscription: Hears) -> None:
        """Let the subscription hear nothing more."""
        self._wild.pop(subscription, None)
        listeners = self._exact.get(subscription.destination, [])
        if subscription in listeners:
            listeners.remove(subscription)
            if not listeners:
                del self._exact[subscription.destination]

    def listeners(self, name: str) -> list[Hears]:
        """Return everybody who hears this topic."""
        found = list(self._exact.get(name, ()))
        if self._wild:
            words = _words(name)
            found += [subscription for subscription, pattern in self._wild.items() if _fits(pattern, words)]
        return found

    def counts(self) -> dict[str, int]:
        """Return how many listen to each name or pattern."""
        counts = {name: len(listeners) for name, listeners in self._exact.items()}
        for subscription in self._wild:
            counts[subscription.destination] = counts.get(subscription.destination, 0) + 1
        return counts


def _words(name: str) -> list[str]:
    return name.removeprefix("/topic/").split(".")


def _fits(pattern: list[str], words: list[str]) -> bool:
    """Whether the pattern means this name; no regular expression, since one could be made that is slow to compile."""
    for place, word in enumerate(pattern):
        if word in _REST:
            return True
        if place == len(words) or word not in {"*", words[place]}:
            return False
    return len(pattern) == len(words)
