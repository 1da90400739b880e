"""Where tests leave what they measured for the report of the campaign."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accordant.kernel.settings import environment
from accordant.proving.campaign import RESULTS_VARIABLE


def drop(name: str, figures: Mapping[str, Any], *, part: str) -> None:
    """Write the figures of one test where the campaign asks for them; without a campaign, nowhere."""
    folder = environment().get(RESULTS_VARIABLE, "")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        said = {"part": part, "figures": dict(figures)}
        (Path(folder) / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
