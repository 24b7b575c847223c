"""Tells the senders on a topic apart and keeps their words; what counts of them: voices.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from charger_control.core.heard import Heard

T = TypeVar('T')
MOST_SENDERS = 16
"""Names that are told apart; all further ones are one."""
MOST_WORDS = 64
"""Words of one sender that are kept; of more the least cautious goes."""
FURTHER = '...'
"""The name that those beyond MOST_SENDERS go by."""
START_MARK = '#'
"""Between the name of a node and what tells its starts apart."""
Words = Sequence[Heard[T]]


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """How one kind of topic is heard.

    Attributes:
        window: s for which the last word of a sender counts while others speak.
        lag: s for which an earlier word counts where it may not be taken back at once: of one
            sender while several publish, and of a node that seems to have been started again.
            More than two periods of the topic.
        merge: what counts at the time ``now`` of these words, the newest last; None: nothing, as
            if nobody had spoken.
        usable: whether a word can be taken; one that cannot is passed on, for its reader to refuse.
        looseness: of a word; the higher, the less is lost without it.
        party: on whose behalf a word is; two senders are two voices only within one party.
    """

    window: float
    lag: float
    merge: Callable[[float, Words[T]], T | None]
    usable: Callable[[T], bool] = lambda _: True
    looseness: Callable[[T], float] = lambda _: 0.0
    party: Callable[[T], Any] = lambda _: None


@dataclass(slots=True)
class _Voice(Generic[T]):
    began: float
    words: list[Heard[T]] = field(default_factory=list)

    @property
    def last(self) -> float:
        return self.words[-1].at


class Voices(Generic[T]):
    """What is heard on one topic by one reader."""

    def __init__(self, rule: Rule[T]) -> None:
        self._rule = rule
        self._parties: dict[Any, dict[str, _Voice[T]]] = {}

    def hear(self, heard: Heard[T]) -> Heard[T] | None:
        """Takes a word.

        Returns:
            What counts now, with the time of this word; ``contested`` where others speak too. None
            where nothing does.
        """
        rule = self._rule
        if not rule.usable(heard.value):
            return heard
        voices = self._parties.setdefault(rule.party(heard.value), {})
        self._forget(voices, heard.at)
        sender, crowd = heard.sender, heard.crowd
        if sender not in voices and len(voices) >= MOST_SENDERS - 1:
            sender, crowd = FURTHER, True
        voice = voices.setdefault(sender, _Voice(heard.at))
        if not crowd:
            voice.words.clear()
        voice.words.append(heard)
        if len(voice.words) > MOST_WORDS:
            voice.words.remove(max(voice.words[:-1],
                                   key=lambda word: rule.looseness(word.value)))
        words = [word for name, each in voices.items() if each is not voice
                 and not self._is_succeeded(name, voices, heard.at) for word in each.words]
        value = rule.merge(heard.at, [*words, *voice.words])
        if value is None:
            return None
        return replace(heard, value=value, contested=bool(_together(voices)))

    def contested(self, now: float) -> tuple[str, ...]:
        """The names of the senders that speak against each other now; () for none."""
        for party, voices in list(self._parties.items()):
            self._forget(voices, now)
            if not voices:
                del self._parties[party]
        return tuple(_shown(name) for voices in self._parties.values()
                     for name in _together(voices))

    def _is_succeeded(self, name: str, voices: dict[str, _Voice[T]], now: float) -> bool:
        """Whether its node was started again, and it has said nothing since."""
        last = voices[name].last
        return now - last > self._rule.lag and any(
            other is not voices[name] and other.began > last and _node(known) == _node(name)
            for known, other in voices.items())

    def _forget(self, voices: dict[str, _Voice[T]], now: float) -> None:
        for name, voice in list(voices.items()):
            if now - voice.last > self._rule.window:
                del voices[name]
            elif len(voice.words) > 1:
                voice.words[:-1] = [word for word in voice.words[:-1]
                                    if now - word.at <= self._rule.lag]


def _shown(sender: str) -> str:
    """A name from the network as people are told it."""
    return (sender if sender.isprintable() else ascii(sender))[:80] or 'nameless'


def _node(sender: str) -> str:
    return sender.partition(START_MARK)[0]


def _together(voices: dict[str, _Voice[T]]) -> list[str]:
    """The senders of which one has spoken again after the other began; [] for none."""
    return [name for name, voice in voices.items()
            if any(other is not voice and voice.last > other.began and other.last > voice.began
                   for other in voices.values())]
