"""Catalogues as data: the ones that come with the service, and a deployment's own files of the same kind."""

import tomllib
from importlib.resources import files
from pathlib import Path

from billing_service.domain.catalogue.package_entries import CatalogInvalid, catalog_from_entries
from billing_service.domain.catalogue.packages import Catalog

DEFAULT = "default"
SUFFIX = ".toml"
FILE_BYTES_MAX = 1 << 20
"""A catalogue is a page of text; more is some other file."""


def load_catalog(name_or_path: str | Path = DEFAULT) -> Catalog:
    """The catalogue of that name (`default`, `five_tier`), or in that TOML file (a path ends in `.toml`).

    Raises CatalogInvalid, whose problems name the catalogue and each faulty entry, also for a file that is missing or
    not TOML.
    """
    source = str(name_or_path)
    try:
        return catalog_from_entries(tomllib.loads(_content(source).decode("utf-8")))
    except CatalogInvalid as error:
        raise CatalogInvalid([f"{source}: {problem}" for problem in error.problems]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogInvalid([f"{source}: not TOML: {error}"]) from error


def catalog_names() -> tuple[str, ...]:
    """Names of the catalogues that come with the service."""
    return tuple(
        sorted(entry.name.removesuffix(SUFFIX) for entry in files(__name__).iterdir() if entry.name.endswith(SUFFIX))
    )


def _content(source: str) -> bytes:
    if not source.endswith(SUFFIX):
        if source not in catalog_names():
            raise CatalogInvalid(
                [f"no catalogue has this name; there are {', '.join(catalog_names())}, and files ending in {SUFFIX}"]
            )
        return files(__name__).joinpath(source + SUFFIX).read_bytes()
    try:
        with Path(source).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CatalogInvalid([f"can't be read: {error.strerror}"]) from error
    if len(content) > FILE_BYTES_MAX:
        raise CatalogInvalid([f"larger than {FILE_BYTES_MAX} bytes"])
    return content
