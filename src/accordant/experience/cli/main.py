"""The `accordant` command: assembles the verbs."""

import typer

app = typer.Typer(no_args_is_help=True)


def _register() -> None:
    from accordant.experience.cli.demo import demo
    from accordant.experience.cli.sandbox import sandbox
    from accordant.experience.cli.worker import worker

    for command in (demo, worker, sandbox):
        app.command()(command)


_register()
if __name__ == "__main__":
    app()
