"""The `billing` program: what it says of itself, without its commands."""

from typing import Annotated, Final

import typer

RUNNING: Final = "Running it"


def new_app() -> typer.Typer:
    """To which commands are to be added."""
    app = typer.Typer(
        name="billing",
        help="Prepaid credits: runs the service, and operates it. Settings come from the environment and `.env`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    return app


def serving_app() -> typer.Typer:
    """With `serve` alone: a process that serves loads no command of an operator."""
    from billing_service.cli.serve import serve

    app = new_app()
    app.command(rich_help_panel=RUNNING)(serve)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        from billing_service.version import version_line

        typer.echo(version_line())
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which version this is.")
    ] = False,
) -> None:
    del version
