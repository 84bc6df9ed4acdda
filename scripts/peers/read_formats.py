"""Reads reports with the libraries of tools that show them, and prints the result as JSON.

    read_formats.py markdown FILE...   by cmark-gfm, GitHub's own parser, and by markdown-it with all its links
    read_formats.py csv FILE...        by Python's reader

For a Markdown file: of each parser the cells of its tables, the texts of its list items, and every element that is
neither table, list, heading, paragraph, emphasis nor code, with its attributes.
"""

import csv
import html.parser
import json
import sys

import cmarkgfm
from cmarkgfm.cmark import Options
from markdown_it import MarkdownIt

EXPECTED = {"h2", "h3", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


class Seen(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.rows, self.items, self.odd, self.cell, self.item = [], [], [], None, None

    def handle_starttag(self, tag, attributes):
        attributes = [pair for pair in attributes if pair[0] not in ("align", "style")]
        if tag not in EXPECTED or attributes:
            self.odd.append([tag, attributes])
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = ""
        elif tag == "li":
            self.item = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell)
            self.cell = None
        elif tag == "li":
            self.items.append(self.item.strip())
            self.item = None

    def handle_data(self, text):
        if self.cell is not None:
            self.cell += text
        elif self.item is not None:
            self.item += text

    def handle_comment(self, text):
        self.odd.append(["comment", text])

    def handle_decl(self, text):
        self.odd.append(["declaration", text])

    def handle_pi(self, text):
        self.odd.append(["instruction", text])

    def unknown_decl(self, text):
        self.odd.append(["declaration", text])


def seen(page):
    parser = Seen()
    parser.feed(page)
    parser.close()
    return {"rows": parser.rows, "items": parser.items, "odd": parser.odd}


def markdown(path):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    extensions = ["table", "autolink", "strikethrough", "tasklist"]
    github = cmarkgfm.markdown_to_html_with_extensions(text, Options.CMARK_OPT_UNSAFE, extensions)
    links = {"html": True, "linkify": True, "typographer": False}
    other = MarkdownIt("gfm-like", links).enable("linkify")
    other.linkify.set({"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": True})
    return {"cmark-gfm": seen(github), "markdown-it": seen(other.render(text))}


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


read = {"markdown": markdown, "csv": table}[sys.argv[1]]
print(json.dumps([read(path) for path in sys.argv[2:]]))
