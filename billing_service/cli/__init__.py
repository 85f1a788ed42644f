"""The `billing` command: runs the service, and operates it."""

import sys


def main() -> None:
    """Entry point of the console script."""
    if sys.argv[1:2] == ["serve"]:
        from billing_service.cli.program import serving_app

        serving_app()()
    else:
        from billing_service.cli.app import app

        app()
