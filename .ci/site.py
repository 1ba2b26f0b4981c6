"""A hook of MkDocs: the repository's own pages, such as CONTRIBUTING.md, in the site.

They stay where readers of the repository look for them; only their links are turned. A link to
what is in the repository and no page (an example, LICENSE) is its text alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parents[1]
THEIR_WORKER = "https://unpkg.com/iframe-worker/shim"
OUR_WORKER = "worker.js"
PAGES = {
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "licences.md": "THIRD_PARTY.md",
}
NO_PAGE = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:examples/[^)]*|LICENSE)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of `docs`."""
    for name, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead links out of `docs` to the pages that were added; leave out notes for the tests."""
    for name, source in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
        markdown = markdown.replace(f"]({source}", f"]({name}")
    markdown = NO_PAGE.sub(r"`\1`", markdown)
    return re.sub(r"^<!--.*?-->\n", "", markdown, flags=re.MULTILINE | re.DOTALL)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """The theme fetches from elsewhere what lets files be searched; ours is at hand."""
    return output.replace(THEIR_WORKER, get_relative_url(OUR_WORKER, page.url))


def on_post_template(output_content: str, **_: object) -> str:
    """The same on the page for what is not found, which is at the root."""
    return output_content.replace(THEIR_WORKER, f"/{OUR_WORKER}")
