"""Which known words are written most like a word: shown to people as a suggestion, never used as an answer."""

from collections.abc import Iterable

from rapidfuzz import fuzz, process

_ALIKE_PCT = 60


def nearest(word: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """Up to `limit` known words, most alike first; case does not count, equal likeness is ordered by letter."""
    ordered = sorted(set(known))
    folded = [name.casefold() for name in ordered]
    return [ordered[index] for _, _, index in process.extract(word.casefold(), folded, scorer=fuzz.ratio, limit=limit)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` for a slip of the pen; else the words there are."""
    ordered = sorted(set(known))
    best = nearest(word, ordered, limit=1)
    if best and fuzz.ratio(word.casefold(), best[0].casefold()) >= _ALIKE_PCT:
        return f"did you mean {best[0]!r}?"
    return f"use one of {', '.join(ordered)}" if ordered else "remove it"
