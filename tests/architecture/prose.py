"""`python -m tests.architecture.prose`: the sentences of documents and protos that are too long to be understood at
first reading.

Looks at every Markdown file and at the comments of every proto. Prints `file:line: words: sentence` for each, and exits
with 1 if there are any. Code blocks, pictures and comments of HTML are no prose. A heading, a list item and a cell of a
table each end their sentence. Inline code, an address or a path, or a row of them, counts as one word.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
WORDS_MAX = 30
"""Of one sentence. Good ones have at most 25."""

_FENCE = re.compile(r"^\s*(```|~~~)")
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STARTS_BLOCK = re.compile(r"^\s*(?:#{1,6}\s|>|[-*+]\s|\d+[.)]\s)")
_CELLS = re.compile(r"(?<!\\)\|")
_RULE_OF_TABLE = re.compile(r"^\s*\|?[\s:|-]+\|[\s:|-]*$")
_CODE = re.compile(r"(`+)(?:.+?)\1", re.DOTALL)
_ROW_OF_CODE = re.compile(r"\bCODE(?:[\s,·/|]+(?:and |or )?CODE)+\b")
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PATH = re.compile(r"(?<![\w/])(?:[\w.-]+/)*[\w-]+\.(?:md|py|proto|toml|yml)\b")
_ADDRESS = re.compile(r"\bhttps?://\S+")
_END = re.compile(r"""(?<=[.!?])["”')*_]*\s+(?=["“'(*_\[]*[A-Z0-9])""")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf)\.\s*$", re.IGNORECASE)
_WORD = re.compile(r"\w[\w'.,%-]*")
_PROTO_COMMENT = re.compile(r"^(?P<before>[^/\"]*(?:\"[^\"]*\"[^/\"]*)*)//(?P<text>.*)$")


class Sentence(NamedTuple):
    line: int
    """Where its block begins, from 1."""
    words: int
    text: str


def sentences_of_markdown(text: str) -> Iterator[Sentence]:
    for line, block in _blocks(_HTML_COMMENT.sub(_blank, text).splitlines()):
        yield from _sentences(line, block)


def sentences_of_proto(text: str) -> Iterator[Sentence]:
    """Of its comments. Comments on lines of their own belong together; one that follows code is by itself."""
    yield from sentences_of_markdown("\n".join(_comment_lines(text)))


def too_long(text: str, suffix: str) -> list[Sentence]:
    """`suffix` of the file's name: `.md` or `.proto`."""
    sentences = sentences_of_proto(text) if suffix == ".proto" else sentences_of_markdown(text)
    return [sentence for sentence in sentences if sentence.words > WORDS_MAX]


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.md", "*.proto"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def main() -> int:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words} words, at most {WORDS_MAX}: {text}"
        for path in files()
        for line, words, text in too_long(path.read_text(encoding="utf-8"), path.suffix)
    ]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


def _comment_lines(text: str) -> Iterator[str]:
    """A line for each line of the proto, so that numbers stay: the comment's text, or nothing."""
    was_trailing = False
    for line in text.splitlines():
        comment = _PROTO_COMMENT.match(line)
        is_trailing = comment is not None and bool(comment["before"].strip())
        # A cell of its own: a comment behind code does not go on in the next line.
        yield (
            f"| {comment['text']} |"
            if comment and (is_trailing or was_trailing)
            else comment["text"]
            if comment
            else ""
        )
        was_trailing = is_trailing


def _blocks(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Paragraphs, headings, list items and cells, each with the number of its first line."""
    first, block, fence = 0, [], ""
    for number, written in enumerate([*lines, ""], 1):
        marker = _FENCE.match(written)
        line = "" if fence or marker else written
        if marker and not fence:
            fence = marker[1]
        elif marker and marker[1] == fence:
            fence = ""
        is_row = line.lstrip().startswith("|")
        if block and (not line.strip() or is_row or _STARTS_BLOCK.match(line)):
            yield first, " ".join(block)
            block = []
        if is_row:
            if not _RULE_OF_TABLE.match(line):
                yield from ((number, cell.strip()) for cell in _CELLS.split(_CODE.sub("CODE", line)) if cell.strip())
        elif line.strip():
            first = first if block else number
            block.append(line.strip())
            if line.lstrip().startswith("#"):
                yield number, block.pop()


def _sentences(line: int, block: str) -> Iterator[Sentence]:
    text = _STARTS_BLOCK.sub("", block)
    text = _LINK.sub(r"\1", _PICTURE.sub("", text))
    text = _PATH.sub("CODE", _ADDRESS.sub("CODE", _CODE.sub("CODE", text)))
    text = _ROW_OF_CODE.sub("CODE", text)
    held = ""
    for part in _END.split(text):
        held = f"{held} {part}".strip()
        if not _ABBREVIATION.search(held):
            yield Sentence(line, len(_WORD.findall(held)), held)
            held = ""
    if held:
        yield Sentence(line, len(_WORD.findall(held)), held)


def _blank(comment: re.Match[str]) -> str:
    return "\n" * comment[0].count("\n")


if __name__ == "__main__":
    sys.exit(main())
