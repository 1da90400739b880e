"""What the stage is asked to play."""

import msgspec

from tests.kills.case import Case


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to play."""

    folder: str
    database: str
    server: str = ""
    scenes: tuple[str, ...] = ()
    """Scene and engine, as `onboarding/journal`; none for all that the database offers."""
    effort: str = "sample"
    """`calm`: no kills. `sample`: every place once, on the first run. `full`: every occurrence, in recoveries too."""
    places: int = 0
    """How many places a sample of a scene holds; 0 for all."""
    budget_s: float = 45.0
    """How long the occurrences of one scene may be played beyond one of each place."""
    seed: int = 0
    jobs: int = 2
    cases: tuple[Case, ...] = ()
    """Exactly these instead, to see one again."""
