"""The README stays short, and the manual holds the rest."""

import re

from tests.docs.pages import README, ROOT

MOST_LINES = 130


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_page_of_the_manual_is_linked_from_the_readme_or_the_overview():
    texts = [README.read_text(encoding="utf-8"), (ROOT / "docs" / "index.md").read_text("utf-8")]
    linked = {
        target.removeprefix("docs/")
        for text in texts
        for target in re.findall(r"\]\(([^)#]+)", text)
    }
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}

    assert pages - linked == set()
