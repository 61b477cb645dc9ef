"""Fail unless the demo's output shows its searches with results, and a search gives good JSON."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

SEARCHES = 4
CAT = "demo-02.jpg"
RESULT = re.compile(r"^ *-?\d\.\d{3} .*\.jpg ", re.MULTILINE)


def main(demo: Path, search: Path) -> None:
    """Look at the demo's text and at the JSON of a search for a cat in the same library."""
    text = demo.read_text(encoding="utf-8")
    searches = text.count("framekeep search ")
    results = len(RESULT.findall(text))
    if searches < SEARCHES or results < SEARCHES:
        sys.exit(f"The demo shows {searches} searches and {results} results.")
    hits = json.loads(search.read_text(encoding="utf-8"))
    if not all({"path", "score", "media_id"} <= set(hit) for hit in hits):
        sys.exit("A hit lacks path, score or media_id.")
    if not hits or not Path(hits[0]["path"]).is_absolute():
        sys.exit("The search for a cat found nothing, or gave a path that is not absolute.")
    if Path(hits[0]["path"]).name != CAT:
        sys.exit(f"The best photo for 'a cat' is {hits[0]['path']}.")
    sys.stdout.write(f"The demo shows {searches} searches with {results} results.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
