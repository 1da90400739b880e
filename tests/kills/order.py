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
    """`sample`: every place once, on the first run. `full`: every occurrence, recoveries, recoveries of these."""
    seed: int = 0
    jobs: int = 2
    cases: tuple[Case, ...] = ()
    """Exactly these instead, to see one again."""
