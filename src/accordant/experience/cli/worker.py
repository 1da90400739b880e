"""`accordant worker`: run the platform against the estate's connections, without starting sandboxes."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from accordant.kernel.settings import default_state, settings_for

app = typer.Typer(add_completion=False)


@app.command("worker")
def worker(
    state: Annotated[Path | None, typer.Option(help="state folder (default: .accordant)")] = None,
    db: Annotated[str | None, typer.Option(help="database URL; default: SQLite in the state folder")] = None,
    port: Annotated[int | None, typer.Option(help="port of the webhook door and the API")] = None,
    in_flight: Annotated[int | None, typer.Option(help="transactions driven at once")] = None,
) -> None:
    """Run the platform. With the journal engine one process owns the database; a second one is refused."""
    from accordant.experience.api import serving

    settings = settings_for(state or default_state(), database_url=db)
    settings = msgspec.structs.replace(
        settings, port=settings.port if port is None else port, in_flight=in_flight or settings.in_flight
    )
    raise typer.Exit(serving.run(settings))
