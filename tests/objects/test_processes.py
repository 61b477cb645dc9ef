"""kill -9 while a process segments: nothing is lost, and the next run makes up for the rest."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from framekeep.library import Library
from framekeep.testing import GridSegmenter, HashEncoder
from tests.helpers.pictures import write_folder

SEGMENTER = """
import sys, time
from framekeep.library import Library
from framekeep.testing import GridSegmenter, HashEncoder

class Slow(HashEncoder):
    batch_size = 3
    def _embed_images(self, images):
        time.sleep(float(sys.argv[2]))
        return super()._embed_images(images)

with Library.open(sys.argv[1], Slow()) as library:
    for event in library.segment(segmenter=GridSegmenter(2, 2)):
        print(event.kind, flush=True)
"""


@pytest.mark.parametrize("after", [1, 5])
def test_kill_in_the_middle_loses_nothing(tmp_path, after):
    write_folder(tmp_path / "in", 12)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(tmp_path / "in"))
    with subprocess.Popen(
        [sys.executable, "-c", SEGMENTER, str(tmp_path / "library"), "0.15"],
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        seen = 0
        for line in worker.stdout:
            seen += line.strip() == "indexed"
            if seen == after:
                break
        worker.send_signal(signal.SIGKILL)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        done = library.object_counts()["segments"]
        assert 4 * after <= done < 48
        kept = object_ids(library)
        events = list(library.segment(segmenter=GridSegmenter(2, 2)))
        assert events[-1].counts.failed == 0
        assert kept <= object_ids(library)
        objects = library._catalog.objects
        space = library._object_space
        assert library.status().objects == objects.count_vectors(space) == 48
        assert objects.lacking_vectors(space) == objects.unindexed(space) == []
        assert library._vectors.count(space) == 48
        assert library.repair().clean
        assert len(library.search("red", of="objects", limit=100)) == 48


def object_ids(library: Library) -> set[str]:
    hits = library.search(where="bytes>0")
    return {segment.segment_id for hit in hits for segment in library.segments(hit)}
