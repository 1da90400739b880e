"""Names of people and companies may hold any letter of any script; nothing, line breaks and fillers are no names."""

import re
import unicodedata

NAME_CHARS_MAX = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Cs"})
_PLACEHOLDERS = frozenset({"n/a", "#n/a", "null", "undefined", "none", "nil", "nan", "-"})


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: empty, spaces, zero-width characters."""
    return all(unicodedata.category(char) in _UNSEEN for char in text)


def name_fault(text: str) -> tuple[str, str] | None:
    """What is wrong with a name, as a code and what was expected; None where it is one.

    Codes: name.too_long, name.empty, text.control, value.placeholder.
    """
    if len(text) > NAME_CHARS_MAX:
        return "name.too_long", f"at most {NAME_CHARS_MAX} characters"
    if is_blank(text):
        return "name.empty", "a name that can be seen"
    if _CONTROL.search(text):
        return "text.control", "one line without control characters"
    if text.strip().casefold() in _PLACEHOLDERS:
        return "value.placeholder", "the name itself rather than a filler"
    return None
