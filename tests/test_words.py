"""One term for one thing, and words that are understood at night: in names, messages and
comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(
    path.relative_to(ROOT)
    for layer in ("dags", "devstack", "include", "plugins")
    for path in (ROOT / layer).rglob("*.py")
)
# What must not be written -> what is written instead. Spaces stand for any white space.
INSTEAD = {
    r"(?<![Tt]here )\bis no (?!longer\b|other\b)": "is not a",
    "put_off": "deferral, defer",
    "unheard": "unreported",
    r"\bcrash point": "failpoint",
    r"\b_?(?:FEWEST|MOST|LONGEST|BIGGEST)(?:_|\b)": "MIN_ or MAX_",
}


def forbidden_words(text: str) -> Iterator[str]:
    flat = " ".join(text.split())
    for pattern, instead in INSTEAD.items():
        for found in re.finditer(pattern, flat):
            around = flat[max(0, found.start() - 30) : found.end() + 20]
            yield f"...{around}...: write {instead}"


def test_the_code_uses_the_words_of_the_field() -> None:
    offences = [
        f"{path}: {offence}"
        for path in CODE
        for offence in forbidden_words((ROOT / path).read_text())
    ]
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize(
    "text",
    [
        '"is no date"',
        "# that is\n    no date",
        "def _put_off(x):",
        "close_unheard()",
        "a crash point",
        "FEWEST_PLAYERS = 5",
        "_LONGEST = 80",
    ],
)
def test_forbidden_word_is_seen_with_what_to_write(text: str) -> None:
    (offence,) = forbidden_words(text)
    assert re.search(r": write \w", offence)


@pytest.mark.parametrize("text", ["there is no game", "is no longer there", "is not a date"])
def test_right_words_pass(text: str) -> None:
    assert list(forbidden_words(text)) == []
