"""Record ids that look and check like Salesforce's: fifteen characters that mind their case, and three that guard it.

Source: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/field_types.htm (ID field type; the suffix holds
one bit per upper-case letter of each group of five characters).
"""

import string
from hashlib import blake2b

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SUFFIX = string.ascii_uppercase + "012345"
_ALLOWED = frozenset(_BASE62)


def with_suffix(id15: str) -> str:
    """The 18-character form of a 15-character id."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(id15[start : start + 5]) if "A" <= letter <= "Z")
        suffix += _SUFFIX[bits]
    return id15 + suffix


def id_from_key(prefix: str, *parts: str) -> str:
    """The same id for the same key on every machine; `prefix` is the object's three characters."""
    number = int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=9).digest(), "big")
    return with_suffix(prefix + _base62(number, 12))


def id_from_number(prefix: str, number: int) -> str:
    """Ids in the order of creation."""
    return with_suffix(prefix + "Kx00000" + _base62(number, 5))


def normalized(text: str) -> str | None:
    """The 18-character form of either form; None when it is no id at all."""
    if not _ALLOWED.issuperset(text):
        return None
    if len(text) == 15:
        return with_suffix(text)
    return text if len(text) == 18 and with_suffix(text[:15]) == text else None


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, place = divmod(number, 62)
        digits = _BASE62[place] + digits
    return digits
