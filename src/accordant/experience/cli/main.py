"""The command `accordant`: what can be done from a terminal, each verb in its own file."""

import typer

from accordant.experience.cli.lazy import LazyGroup, Verb

_HERE = "accordant.experience.cli"

LazyGroup.verbs = {
    "demo": Verb(f"{_HERE}.demo", "Play a seeded company, or a CRM export, and print what happened."),
    "up": Verb(f"{_HERE}.up", "Start the platform and its sandboxes, and stay up."),
    "worker": Verb(f"{_HERE}.worker", "Run the platform alone, without sandboxes."),
    "tx": Verb(f"{_HERE}.tx", "Business transactions: list, show, prove."),
    "exception": Verb(f"{_HERE}.exception", "Open exceptions: list, show, retry, release."),
    "approval": Verb(f"{_HERE}.approval", "What waits for somebody's word: list, show, approve, reject."),
    "entitlement": Verb(f"{_HERE}.entitlement", "Whether a customer may ask for support now, and why."),
    "dispute": Verb(f"{_HERE}.dispute", "Disputed invoices: list, with how long each took."),
    "reference": Verb(f"{_HERE}.reference", "Reference data: list what words mean, set a meaning."),
    "tie-out": Verb(f"{_HERE}.tie_out", "Billing beside the books: totals, and every document that does not tie."),
    "replay": Verb(f"{_HERE}.replay", "Process kept messages or transactions again; shows first what would happen."),
    "sandbox": Verb(f"{_HERE}.sandbox", "Run the sandbox of one vendor."),
    "verify": Verb(f"{_HERE}.verify", "Run the crash suite on this machine and judge what every system was told."),
    "doctor": Verb(f"{_HERE}.doctor", "Check connections, secrets, database; list what is promised and assumed."),
}

app = typer.Typer(
    cls=LazyGroup,
    name="accordant",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    epilog="Every command takes --state DIR (else ACCORDANT_STATE, else .accordant), --db URL and --json. "
    "Exit codes: 0 fine, 1 something is wrong, 2 wrong input, 3 not found, 4 the platform is not running.",
)


@app.callback()
def accordant() -> None:
    """Keeps CRM, billing, ERP and support in step, one business transaction at a time."""


if __name__ == "__main__":
    app()
