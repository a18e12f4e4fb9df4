"""The pages of the documentation site: the repository's documents at their own paths, so that their links work as in a checkout.

A file that a document links to becomes a page that shows it, a folder a list of its files. Doctests and trees in docstrings become code.
Knows links, mkdocs and griffe; knows nothing of what the documents say.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from griffe import Extension, Object
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("*.md", "docs/*.md", "docs/api/*.md", "benchmarks/README.md", "examples/*/README.md")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)#\s]+")
BLOCK = re.compile(r"^( *)((?:>>> .*|.*\n\1├── .*)(?:\n\1\S.*|\n\1 +\S.*)*)", re.MULTILINE)
"""A paragraph of a docstring that is a doctest or a tree, with its indentation."""


class CodeInDocstrings(Extension):
    """Fences doctests and trees, which Markdown would read as quotations and prose."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = BLOCK.sub(r"\1```pycon\n\1\2\n\1```", obj.docstring.value)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Give mkdocs the documents and the files that they link to, in place of the folder that it has listed."""
    documents = [path for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))]
    pages = {path: path.read_text() for path in documents}
    for document in documents:
        pages |= {page: text for path in _linked(document) for page, text in _shown(path)}
    kept = [file for file in files if file.src_dir != config.docs_dir or file.src_uri.endswith(".css")]
    return Files([*kept, *(File.generated(config, path.relative_to(ROOT).as_posix(), content=text) for path, text in pages.items())])


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files lead to the pages that show them; the front page needs no list of pages beside it."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    folder = (ROOT / page.file.src_uri).parent
    return LINK.sub(lambda link: link[0] + _suffix(folder / link[0]), markdown)


def _suffix(path: Path) -> str:
    """What a link to a file or folder needs behind it to lead to its page."""
    return "/index.md" if path.is_dir() else "" if path.suffix == ".md" else ".md"


def _linked(document: Path) -> Iterator[Path]:
    """The files and folders, other than documents, that a document links to."""
    targets = {(document.parent / link).resolve() for link in LINK.findall(document.read_text())}
    return (path for path in sorted(targets) if path.exists() and path.suffix != ".md")


def _shown(path: Path) -> Iterator[tuple[Path, str]]:
    """The page of a file, or those of a folder and of each of its files: path and Markdown."""
    title = f"# `{path.relative_to(ROOT).as_posix()}`\n\n"
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if file.is_file())
        yield path / "index.md", title + "\n".join(f"- [{file.name}]({file.name})" for file in inside)
        for file in inside:
            yield from _shown(file)
    else:
        wide, language = "---\nhide: [navigation, toc]\n---\n\n", path.suffix.removeprefix(".")
        yield path.with_name(f"{path.name}.md"), f"{wide}{title}````{language}\n{path.read_text()}\n````\n"
