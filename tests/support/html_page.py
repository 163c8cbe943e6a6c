"""A report as a browser would see it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects what a browser would run, fetch or show, and checks that elements are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the name of an element and what it would fetch."""
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Checks that it is the last one that was opened."""
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes another element")

    def handle_data(self, data: str) -> None:
        """Keeps what is shown."""
        self.words += data


def report_page(html: str) -> Page:
    """The page of a report: it is whole, runs nothing and asks for no other file."""
    page = Page(html)
    assert not page.open
    assert not {"script", "link"} & set(page.tags)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    return page
