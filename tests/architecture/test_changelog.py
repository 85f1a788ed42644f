"""Whoever changes the protos says so to those who use them."""

import importlib
import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).parents[2]
PACKAGE = "prepaid.billing.v1"
FOLDER = ROOT / "protos" / "prepaid" / "billing" / "v1"


def released():
    """The newest release's files, by name."""
    images = sorted(
        (ROOT / "protos" / "released").glob("*.binpb"), key=lambda path: [int(part) for part in path.stem.split(".")]
    )
    image = descriptor_pb2.FileDescriptorSet.FromString(images[-1].read_bytes())
    return [file for file in image.file if file.package == PACKAGE]


def present():
    files = []
    for path in sorted(FOLDER.glob("*.proto")):
        module = importlib.import_module(f"prepaid.billing.v1.{path.stem}_pb2")
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        files.append(file)
    return files


def names(files):
    """What a caller can name: RPCs, fields as `Message.field`, enum values."""
    found = set()
    for file in files:
        found |= {method.name for service in file.service for method in service.method}
        found |= {f"{message.name}.{field.name}" for message in file.message_type for field in message.field}
        found |= {value.name for enum in file.enum_type for value in enum.value}
    return found


def unreleased():
    """The section of the changelog for what comes next."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return text.partition("## Unreleased\n")[2].partition("\n## ")[0]


def is_told(name, told):
    """An RPC or enum value by its name; a field also by its message or its own name."""
    return any(
        re.search(rf"\b{re.escape(part)}\b", told) for part in {name, *name.split("."), name.removeprefix("REASON_")}
    )


def enums(files):
    """The values of each enum, by its name."""
    return {enum.name: {value.name for value in enum.value} for file in files for enum in file.enum_type}


def test_every_new_name_of_the_protos_is_in_the_changelog():
    told = unreleased()
    added = names(present()) - names(released())
    for enum in enums(present()).keys() - enums(released()).keys():
        added = (added - enums(present())[enum]) | {enum}  # one that is new as a whole is told by its name
    assert sorted(name for name in added if not is_told(name, told)) == []


def test_no_released_name_is_gone():
    assert names(released()) - names(present()) == set()


@pytest.mark.parametrize(
    ("name", "told"), [("ListRefunds", True), ("GetRefund", False), ("Refund.reason", True), ("REASON_TOO_LATE", True)]
)
def test_what_counts_as_told(name, told):
    assert is_told(name, "- `ListRefunds` lists `Refund`s; `TOO_LATE` is new") is told
