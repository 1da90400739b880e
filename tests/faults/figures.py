"""Where a campaign drops what it measured."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def drop(name: str, figures: Mapping[str, Any]) -> None:
    """Write the figures of one test where `ACCORDANT_CAMPAIGN_RESULTS` says; without it, nowhere."""
    folder = os.environ.get("ACCORDANT_CAMPAIGN_RESULTS", "")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        said = {"part": "faults", "figures": dict(figures)}
        (Path(folder) / f"faults-{name}.json").write_text(json.dumps(said, indent=1, sort_keys=True))
