"""No secret stands anywhere that people or programs may read, in whatever writing."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from accordant.proving.checker.history import Finding, History, Ruling

_SHORTEST = 6
"""Shorter pieces of an encoded secret are found by chance."""


def secrets(history: History) -> Ruling:
    """Look for each canary in each artefact, in plain, hexadecimal, base64, URL and JSON writing."""
    wanted = [(one, _forms(one)) for one in history.truth.canaries]
    findings: list[Finding] = []
    for name in history.artefacts if wanted else ():
        content = history.artefacts[name]
        for place, (_, forms) in enumerate(wanted, start=1):
            writing = next((form for form, piece in forms if piece in content), "")
            if writing:  # the finding itself must not tell the secret
                findings.append(Finding(rule="secrets", what=f"canary {place} stands there ({writing})", where=name))
    return Ruling(len(wanted) * len(history.artefacts), tuple(findings))


def _forms(canary: str) -> list[tuple[str, bytes]]:
    """The ways of writing it, each with its name."""
    forms = [
        ("plain", canary.encode()),
        ("hex", canary.encode().hex().encode()),
        ("hex", canary.encode().hex().upper().encode()),
        ("URL", quote(canary, safe="").encode()),
        ("URL", quote_plus(canary).encode()),
        ("JSON", json.dumps(canary)[1:-1].encode()),
        *(("base64", piece) for piece in _in_base64(canary.encode())),
    ]
    names = {piece: name for name, piece in reversed(forms) if len(piece) >= _SHORTEST}  # most writings are one
    return [(name, piece) for piece, name in names.items()]


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """What is left of it in base64 whatever stands before and after it, in both alphabets."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        start = -(-before * 8 // 6)  # characters that also hold bits of what stands before
        end = len(encoded) if (before + len(secret)) % 3 == 0 else len(encoded) - 1
        piece = encoded[start:end]
        yield piece
        yield piece.translate(bytes.maketrans(b"+/", b"-_"))
