"""Randomness from the operating system, for whoever is not handed a seeded generator."""

import random
import secrets


def system_random() -> random.Random:
    """A generator that nobody can predict or repeat."""
    return random.SystemRandom()


def new_token() -> str:
    """A new key of 256 bits, fit for a header and a file."""
    return secrets.token_urlsafe(32)
