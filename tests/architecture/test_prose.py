"""Sentences of documents and protos are short enough for a tired reader, and the check counts them as a reader does."""

import pytest

from tests.architecture.prose import (
    ROOT,
    WORDS_MAX,
    Sentence,
    files,
    main,
    sentences_of_markdown,
    sentences_of_proto,
    too_long,
)


def words(number):
    return " ".join(["word"] * number)


def counts(text):
    return [sentence.words for sentence in sentences_of_markdown(text)]


def test_no_sentence_is_too_long(capsys):
    assert main() == 0, capsys.readouterr().out


def test_every_kind_of_file_is_looked_at():
    names = {str(path.relative_to(ROOT)) for path in files()}
    assert {
        "README.md",
        "docs/clients.md",
        "docs/adr/README.md",
        "tests/README.md",
        "protos/prepaid/billing/v1/billing.proto",
    } <= names


@pytest.mark.parametrize("suffix", [".md", ".proto"])
def test_one_word_too_many_is_found(suffix):
    before = "// " if suffix == ".proto" else ""
    assert too_long(f"{before}A {words(WORDS_MAX - 1)}.\n", suffix) == []
    (found,) = too_long(f"\n{before}A {words(WORDS_MAX)}.\n", suffix)
    assert (found.line, found.words) == (2, WORDS_MAX + 1)


def test_what_is_too_long_is_named_with_its_line(monkeypatch, tmp_path, capsys):
    (tmp_path / "README.md").write_text(f"# Title\n\nShort.\n\nA {words(WORDS_MAX)}.\n")
    monkeypatch.setattr("tests.architecture.prose.ROOT", tmp_path)
    monkeypatch.setattr("tests.architecture.prose.files", lambda: [tmp_path / "README.md"])
    assert main() == 1
    assert capsys.readouterr().out.startswith(f"README.md:5: {WORDS_MAX + 1} words, at most {WORDS_MAX}: A word")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two. Three four five.", [2, 3]),
        ("One two\nthree. Four", [3, 1]),
        ("One? Two! **Three.** Four (five). Six", [1, 1, 1, 2, 1]),
        ("Costs 1.5 or 3,000.25 each; a semicolon: a colon, and a dash - end nothing.", [14]),
        ("A key, e.g. Stripe's, i.e. Theirs. Next", [6, 1]),
        ("Ends with `code`. `code` begins. 42 begins", [3, 2, 2]),
        ("a version 3.11. and small letters go on", [8]),
    ],
)
def test_where_a_sentence_ends(text, expected):
    assert counts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`a long piece of code` is one", [3]),
        ("`a`, `b` and `c` · `d`, [e.md](e.md) are", [2]),
        ("[two words](https://example.com/not/counted) count", [3]),
        ("[docs/adr/README.md](docs/adr/README.md) is", [2]),
        ("see https://example.com/a/b?c=d now", [3]),
        ("![a picture of many words](x.png) seen", [1]),
        ("can't won't caller's 20,000 50 %", [5]),
        ("a → b · c / d - e", [5]),
    ],
)
def test_what_a_word_is(text, expected):
    assert counts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```sh\nall of this is code\n```\nprose", [1]),
        ("~~~\n```\nstill code\n~~~\nprose", [1]),
        ("<!-- one\ntwo -->\nthree", [1]),
        ("# A title\nprose goes on", [2, 3]),
        ("- one two\n  three\n- four\n* five\n1. six", [3, 1, 1, 1]),
        ("> quoted\n\nnot", [1, 1]),
        ("one\n\ntwo", [1, 1]),
        ("lead in:\n| a b | c |\n|---|:-:|\n| d. E f | `x | y` |\nafter", [2, 2, 1, 1, 2, 1, 1]),
    ],
)
def test_what_ends_with_its_block(text, expected):
    assert counts(text) == expected


PROTO = """\
syntax = "proto3";

// One two
// three. Four
service S {  // five
  // six
  string url = 1;  // seven "//" eight
  // nine
  string path = 2 [default = "http://not/a comment"];
}
//
// ten
//
// eleven
"""


def test_comments_of_protos_are_prose_and_code_is_none():
    found = [(sentence.line, sentence.text) for sentence in sentences_of_proto(PROTO)]
    assert found == [
        (3, "One two three."),
        (3, "Four"),
        (5, "five"),
        (6, "six"),
        (7, 'seven "//" eight'),
        (8, "nine"),
        (12, "ten"),
        (14, "eleven"),
    ]


def test_lines_are_counted_over_code_and_comments():
    assert list(sentences_of_markdown("```\n\n```\n<!--\n\n-->\n\nhere")) == [Sentence(8, 1, "here")]
