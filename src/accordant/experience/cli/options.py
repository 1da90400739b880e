"""The options that every command takes."""

from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="State folder [default: ACCORDANT_STATE, else .accordant].", show_default=False),
]
DbOption = Annotated[
    str | None,
    typer.Option("--db", help="Database URL [default: ACCORDANT_DATABASE_URL, else the state folder's SQLite file]."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
ActorOption = Annotated[
    str, typer.Option("--actor", help="Who does this, as the audit will say.", envvar="ACCORDANT_ACTOR")
]
