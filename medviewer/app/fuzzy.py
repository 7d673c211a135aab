"""Find by a few letters: how well what was typed matches a text."""

from __future__ import annotations

from functools import cache

_START, _NEXT, _WITHIN = 8, 9, 2
"""Worth of a letter that begins a word, of one that follows the one before it, and of one in the middle of a word."""


def score(query: str, text: str) -> int:
    """How well a query matches a text; 0 where it does not.

    Every word of the query has to be found: its letters in that order, each at the start of a word or right after the
    one before, or all of them together in the middle of a word. So ``rbe``, ``brain`` and ``traction`` all find *Run
    Brain extraction*. Letters from here and there are not enough: they would find too much. Case does not matter.

    Parameters
    ----------
    query
        What was typed.
    text
        Where it is looked for.
    """
    total = 0
    for word in query.lower().split():
        worth = _word(word, text.lower())
        if not worth:
            return 0
        total += worth
    return total


def _word(word: str, text: str) -> int:
    """The best worth of one word's letters in a text, 0 where they are not all there."""

    @cache
    def best(letter: int, start: int, joined: bool) -> int:
        if letter == len(word):
            return 0
        found, at = 0, text.find(word[letter], start)
        while at >= 0:
            follows = joined and at == start
            begins = at == 0 or not text[at - 1].isalnum()
            rest = best(letter + 1, at + 1, True) if begins or follows else 0
            if (begins or follows) and (rest or letter + 1 == len(word)):
                found = max(found, rest + (_START if begins else _NEXT))
            at = text.find(word[letter], at + 1)
        return found

    return best(0, 0, False) or (_WITHIN * len(word) if word in text else 0)
