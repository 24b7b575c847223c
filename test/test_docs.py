"""What documents and comments name is there: links, headings, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / 'src' / 'charger_control'
DOCUMENTS = [*sorted(ROOT.glob('*.md')), *sorted((ROOT / 'docs').glob('*.md')),
             ROOT / 'bench' / 'README.md']
PYTHON = [p for folder in ('src', 'test', 'bench', 'tools', 'launch')
          for p in sorted((ROOT / folder).rglob('*.py'))]
FIRST = {p.name for p in [*ROOT.iterdir(), *SOURCE.iterdir()] if p.is_dir()} - {'build', 'install'}
"""Folders with which a path to a file of ours begins."""
LINK = re.compile(r'\]\(([^)\s]+)\)')
FILE = re.compile(r'(?<![\w/.~$>}-])((?:[\w*]+/)+[\w*]+\.(?:py|yaml|md|json|txt|c|service))\b')



FOREIGN = {'docs/infos.md'}
"""Files of other projects."""


def headings(path: Path) -> set[str]:
    """The anchors of a document, as GitHub makes them."""
    return {re.sub(r'[^\w\- ]', '', line.lstrip('#').strip().lower()).replace(' ', '-')
            for line in path.read_text().splitlines() if line.startswith('#')}


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize('document', DOCUMENTS, ids=id_of)
def test_links_lead_somewhere(document: Path) -> None:
    dead = []
    for target in LINK.findall(document.read_text()):
        if re.match(r'[a-z]+:', target):
            continue
        file, _, anchor = target.partition('#')
        there = (document.parent / file) if file else document
        if not there.exists() or (anchor and anchor not in headings(there)):
            dead.append(target)
    assert not dead


def missing(text: str, beside: Path) -> list[str]:
    """Files that a text names and that are nowhere, of those that would be ours."""
    # in a workspace of colcon the repository itself is src/charger_control
    names = {name: name.removeprefix('src/charger_control/') for name in FILE.findall(text)}
    return [name for name, inner in names.items()
            if name.split('/')[0] in FIRST and name not in FOREIGN and not any(
                list(folder.glob(inner)) for folder in (ROOT, SOURCE, beside, ROOT / 'docs'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=id_of)
def test_files_that_documents_name_are_there(document: Path) -> None:
    assert not missing(document.read_text(), document.parent)


def test_files_that_comments_name_are_there() -> None:
    wrong = {id_of(path): names for path in PYTHON
             if (names := missing(path.read_text(), path.parent))}
    assert not wrong
