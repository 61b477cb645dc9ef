"""From photos to a dataset in the browser: find objects, look them over, label, export, import."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pycocotools.coco import COCO
from pycocotools.mask import area

import framekeep
from framekeep.object_types import Segment
from tests.e2e.conftest import Server, demo_photos, keep_screen, names, search, settled

WORK_MS = 180_000
CAT = "demo-02.jpg"
LIE_TOGETHER = """stage => {
  const box = (name) => stage.querySelector(name).getBoundingClientRect();
  const [photo, drawing] = [box("img"), box("svg")];
  const together = (side) => Math.abs(photo[side] - drawing[side]) < 1.5;
  return photo.width > 0 && ["x", "y", "width", "height"].every(together);
}"""
THREE = [path for path in demo_photos() if path.name in (CAT, "demo-03.jpg", "demo-05.jpg")]


@pytest.fixture
def gridded(gridded_library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(gridded_library, tmp_path / "gridded"))


def objects(folder: Path, where: str | None = None) -> list[Segment]:
    with framekeep.open(folder) as library:
        hits = library.search(where=where, of="objects", limit=500)
    return [hit.segment for hit in hits if hit.segment]


def labels(page: Page) -> list[str]:
    return page.locator(".tile .label").all_inner_texts()


def show(page: Page, server: Server, address: str) -> None:
    page.goto(f"{server.address}/{address}")
    page.locator(".tile").first.wait_for()
    settled(page)


def focus_on(page: Page, index: int) -> None:
    page.locator(".tile").nth(index).focus()


def focused_tile(page: Page) -> int:
    return int(page.locator(".tile.cursor").first.get_attribute("data-index") or -1)


def test_three_photos_are_segmented_and_their_objects_found_by_words(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    with framekeep.open(folder, encoder="starter") as library:
        list(library.add(*THREE))
    server = serve(folder)
    page.goto(f"{server.address}/?of=objects")
    page.get_by_text("No objects have been found in your photos yet").wait_for()
    page.get_by_role("link", name="Find objects").click()
    page.get_by_text("A draft of the main object").first.wait_for()
    page.get_by_role("button", name="Find objects", exact=True).click()
    page.get_by_text("Done").first.wait_for(timeout=WORK_MS)
    page.get_by_text("3 of 3", exact=True).wait_for()
    found = objects(folder)
    assert len({segment.media_id for segment in found}) == 3
    page.goto(f"{server.address}/")
    search(page, "a cat")
    assert len(names(page)) == 3
    page.get_by_test_id("stMain").get_by_text("Objects", exact=True).click()
    page.wait_for_url(re.compile("of=objects"))
    settled(page)
    expect(page.locator(".tile .label").first).to_be_visible()
    assert names(page)[0] == CAT
    page.locator(".tile svg path").first.wait_for(state="attached")
    assert page.locator(".tile svg .draft").count() == len(found)
    keep_screen(page, "objects-found")


def test_ten_objects_are_labelled_at_once_and_that_is_taken_back(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    server = serve(gridded)
    show(page, server, "?q=coins&of=objects")
    page.locator(".tile .check").first.click(force=True)
    page.locator(".tile").nth(9).click(modifiers=["Shift"])
    expect(page.get_by_text("10 objects selected")).to_be_visible()
    page.keyboard.press("l")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Class").fill("Münze <b>1</b>")
    keep_screen(page, "objects-label")
    dialog.get_by_role("button", name="Label", exact=True).click()
    expect(dialog).to_have_count(0)
    bar = page.locator(".st-key-undo")
    bar.wait_for()
    expect(page.get_by_text("selected")).to_have_count(0)
    settled(page)
    assert labels(page)[:10] == ["Münze <b>1</b>"] * 10
    assert labels(page)[10] == "cell?"
    assert {s.label_source for s in objects(gridded, "source:person")} == {"person"}
    assert len(objects(gridded, 'label:"Münze <b>1</b>"')) == 10
    keep_screen(page, "objects-labelled")
    bar.get_by_role("button", name="Undo").click()
    expect(page.locator(".label.person")).to_have_count(0)
    expect(bar).to_have_count(0)
    assert objects(gridded, 'label:"Münze <b>1</b>"') == []


def test_quick_keys_judge_label_and_undo_without_losing_one(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    with framekeep.open(gridded) as library:
        library.add_class("dog", "#2f9e44")
    server = serve(gridded)
    show(page, server, "objects?view=review")
    expect(page.get_by_text("40 of 40 left")).to_be_visible()
    order = page.locator(".tile").evaluate_all("all => all.map(tile => tile.ariaLabel)")
    focus_on(page, 0)
    for key in ("a", "a", "r", "a"):
        page.keyboard.press(key, delay=5)
    assert focused_tile(page) == 4
    expect(page.get_by_text("36 of 40 left")).to_be_visible()
    assert [s.state for s in objects(gridded, "state:accepted")] == ["accepted"] * 3
    settled(page)
    assert page.locator(".tile").count() == len(order)
    expect(page.locator(".tile.accepted")).to_have_count(3)
    expect(page.locator(".tile.rejected")).to_have_count(1)
    keep_screen(page, "review-judged")
    focus_on(page, 2)
    page.keyboard.press("r")
    expect(page.locator(".tile.rejected")).to_have_count(0)
    page.keyboard.press("1")
    expect(page.locator(".label.person", has_text="dog").first).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.locator(".label.person", has_text="dog")).to_have_count(0)
    assert objects(gridded, "label:dog") == []


def test_a_whole_batch_is_judged_and_the_next_one_comes(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    server = serve(gridded)
    show(page, server, "objects?view=review&near=1")
    first = names(page)
    focus_on(page, 3)
    page.keyboard.press("Control+a")
    expect(page.get_by_text("40 objects selected")).to_be_visible()
    page.get_by_role("button", name="Accept", exact=True).click()
    page.get_by_text("The whole batch is judged").wait_for()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("40 of 40 left")).to_be_visible()
    settled(page)
    assert names(page) != first
    assert len(objects(gridded, "state:accepted")) == 40


def test_an_object_leads_to_its_photo_to_others_like_it_and_to_its_outline(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    server = serve(gridded)
    show(page, server, "?q=a+cat&of=objects")
    assert names(page)[0] == CAT
    focus_on(page, 1)
    page.keyboard.press("Enter")
    page.locator(".stage svg.chosen .outline.chosen").wait_for(state="attached")
    assert page.locator(".stage .outline").count() == 4
    # The photo grows when its larger version has come, and the outlines with it.
    page.wait_for_function(LIE_TOGETHER, arg=page.locator(".stage").element_handle())
    expect(page.get_by_text("4 objects in this photo")).to_be_visible()
    keep_screen(page, "objects-photo")
    page.keyboard.press("o")
    expect(page.locator(".stage svg")).not_to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".stage")).to_have_count(0)
    left = page.locator(".tile.cursor")
    expect(left).to_have_attribute("data-index", "1")
    expect(left).to_be_focused()
    page.keyboard.press("m")
    page.get_by_role("menuitem", name="More objects like this").click()
    page.wait_for_url(re.compile("like=segment"))
    page.locator(".score").first.wait_for()
    settled(page)
    assert names(page)[0] == CAT
    assert "of=objects" in page.url
    focus_on(page, 0)
    page.keyboard.press("e")
    page.wait_for_url(re.compile(r"annotate\?.*open=[0-9a-f]{64}.*object=[0-9a-f]{32}"))


def test_both_photos_and_objects_are_found_and_selected_together(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    server = serve(gridded)
    show(page, server, "?q=a+cat&of=both")
    assert names(page)[:5] == [CAT] * 5
    assert len(labels(page)) < page.locator(".tile").count()
    page.locator(".tile .check").first.click(force=True)
    page.locator(".tile").nth(4).click(modifiers=["Shift"])
    expect(page.get_by_text("1 photo and 4 objects selected")).to_be_visible()
    page.get_by_role("button", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Add tags").fill("feline")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert len(objects(gridded, "otag:feline")) == 4
    with framekeep.open(gridded) as library:
        assert [hit.path.name for hit in library.search(where="tag:feline")] == [CAT]
    page.get_by_role("button", name="Reject", exact=True).click()
    cats = page.get_by_role("option", name=re.compile(CAT))
    expect(cats).to_have_count(1)
    bar = page.locator(".st-key-undo")
    bar.get_by_text("Rejected 4 objects").wait_for()
    bar.get_by_role("button", name="Undo").click()
    expect(cats).to_have_count(5)


def test_classes_are_kept_in_order_in_one_place(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    with framekeep.open(gridded) as library:
        ids = [hit.segment.segment_id for hit in library.search(of="objects", limit=6)]
        library.label(ids[:3], "dog")
        library.label(ids[3:5], "puppy")
        library.label(ids[5], "cta")
    server = serve(gridded)
    page.goto(f"{server.address}/objects?view=classes")
    page.get_by_role("textbox", name="New class").fill("unused")
    page.get_by_role("button", name="Add the class").click()
    rows = page.locator('[class*="st-key-class_"]').filter(has=page.get_by_role("button"))
    page.get_by_text("unused · 0 objects").wait_for()

    def change(name: str) -> None:
        settled(page)
        rows.filter(has_text=name).get_by_role("button", name="Change").last.click()
        page.get_by_role("dialog").get_by_role("textbox", name="Name").wait_for()

    change("unused")
    page.get_by_role("dialog").get_by_role("button", name="Drop this class").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("unused · 0 objects")).to_have_count(0)
    change("cta")
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("cat")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_text("cat · 1 object").wait_for()
    change("puppy")
    keep_screen(page, "classes-change")
    page.get_by_role("dialog").get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    settled(page)
    with framekeep.open(gridded) as library:
        found = {each.name: each.segments for each in library.classes()}
    assert found == {"cat": 3, "dog": 3}
    page.locator(".st-key-undo").get_by_role("button", name="Undo").click()
    page.get_by_text("puppy · 2 objects").wait_for()
    page.get_by_role("link", name="puppy").click()
    expect(page.locator(".tile")).to_have_count(2)


def choose(page: Page, label: str, option: str) -> None:
    """Choose from one of Streamlit's lists."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()
    settled(page)


def export(page: Page, server: Server, kind: str, name: str) -> Path:
    """Export everything through the page, split in three, and give the folder."""
    page.goto(f"{server.address}/datasets")
    page.get_by_role("textbox", name="Name or folder").wait_for()
    settled(page)
    choose(page, "Format", kind)
    choose(page, "Split", "60/20/20")
    page.get_by_role("textbox", name="Name or folder").fill(name)
    page.keyboard.press("Enter")
    out = server.library / "exports" / name
    page.get_by_text(f"Goes to {out}").wait_for()
    settled(page)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("with 116 objects in 3 classes").last.wait_for()
    expect(page.locator(".fk-samples img")).to_have_count(20)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.fk-samples img')].every(i => i.naturalWidth > 100)"
    )
    assert not out.exists()
    keep_screen(page, f"export-{name}")
    page.get_by_test_id("stMain").get_by_role("button", name="Export", exact=True).last.click()
    done = page.get_by_text(f"29 photos with 116 objects are in {out}")
    done.first.wait_for(timeout=WORK_MS)
    expect(done).to_have_count(1)
    page.get_by_text(f"What {name} holds").click()
    page.get_by_role("region", name="Objects by class and split").first.wait_for()
    return out


def kinds(folder: Path) -> Counter[tuple[str, int]]:
    """Labels and areas of all objects of a library."""
    return Counter((segment.label or "", segment.area_px) for segment in objects(folder))


def test_coco_and_yolo_go_out_through_the_page_and_come_back_in(
    page: Page, serve: Callable[..., Server], gridded: Path, tmp_path: Path
) -> None:
    with framekeep.open(gridded) as library:
        ids = [hit.segment.segment_id for hit in library.search(of="objects", limit=60)]
        library.label(ids[:20], "dog")
        library.label(ids[20:40], "Katze; “süß”")
    wanted = kinds(gridded)
    server = serve(gridded)

    coco = export(page, server, "COCO", "mine")
    loaded = [COCO(coco / split / "annotations.json") for split in ("train", "val", "test")]
    found: Counter[tuple[str, int]] = Counter()
    for split, part in zip(("train", "val", "test"), loaded, strict=True):
        for image in part.dataset["images"]:
            assert (coco / split / image["file_name"]).is_file()
        for known in part.dataset["annotations"]:
            label = part.cats[known["category_id"]]["name"]
            assert int(area(part.annToRLE(known))) == known["area"]
            found[(label, int(known["area"]))] += 1
    assert found == wanted
    assert sum(len(part.imgs) for part in loaded) == 29

    yolo = export(page, server, "YOLO", "theirs")
    lines = [
        line.split()
        for path in (yolo / "labels").rglob("*.txt")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(lines) == 116
    assert all(len(line) >= 7 and len(line) % 2 for line in lines)
    assert all(0 <= float(number) <= 1 for line in lines for number in line[1:])
    assert len(list((yolo / "images").rglob("*.jpg"))) == 29

    for name, folder in (("coco", coco), ("yolo", yolo)):
        other = serve(tmp_path / f"library-{name}", FRAMEKEEP_APP_ROOTS=str(tmp_path))
        page.goto(f"{other.address}/datasets?view=import")
        page.get_by_role("textbox", name="A folder, or a COCO file").fill(str(folder))
        page.get_by_role("button", name="Import", exact=True).last.click()
        said = page.get_by_text("116 objects in 29 photos were taken in")
        said.wait_for(timeout=WORK_MS)
        keep_screen(page, f"import-{name}")
        assert kinds(other.library) == wanted
        assert {segment.label_source for segment in objects(other.library)} == {"import"}


def test_a_former_export_is_made_again_byte_for_byte(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    with framekeep.open(gridded) as library:
        list(library.export("coco", gridded / "exports" / "first", split="80/10/10", seed=3))
        library.label([hit.segment.segment_id for hit in library.search(of="objects")], "changed")
    server = serve(gridded)
    page.goto(f"{server.address}/datasets?view=former")
    page.get_by_text("first · COCO · 29 photos, 116 objects").wait_for()
    page.get_by_text("What it holds").click()
    page.get_by_role("region", name="Objects by class and split").get_by_text("cell").wait_for()
    keep_screen(page, "former")
    page.get_by_role("button", name="Make it again").click()
    page.get_by_text("first-again-1 · COCO").wait_for(timeout=WORK_MS)
    folders = [gridded / "exports" / name for name in ("first", "first-again-1")]
    files = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in folders
    ]
    assert len(files[0]) > 30
    assert files[0] == files[1]


def test_a_dataset_goes_only_where_it_may(
    page: Page, serve: Callable[..., Server], gridded: Path, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    (allowed / "photos").mkdir(parents=True)
    (allowed / "photos" / "dear.jpg").touch()
    server = serve(gridded, FRAMEKEEP_APP_ROOTS=str(allowed))
    page.goto(f"{server.address}/datasets")
    box = page.get_by_role("textbox", name="Name or folder")
    for wrong, said in (
        ("/etc/dataset", "lies outside"),
        (f"{allowed}/../other", "lies outside"),
        (f"{gridded}/chroma", "lies outside"),
        (str(allowed / "photos"), "holds something that is no export"),
        ("../escape", "whole path"),
    ):
        box.fill(wrong)
        box.press("Enter")
        page.get_by_text(said).wait_for()
        assert page.get_by_role("button", name="Preview").count() == 0
    box.fill(str(allowed / "set"))
    box.press("Enter")
    page.get_by_role("button", name="Preview").wait_for()
    page.goto(f"{server.address}/datasets?view=import")
    page.get_by_role("textbox", name="A folder, or a COCO file").fill("/etc")
    page.get_by_role("button", name="Import", exact=True).last.click()
    page.get_by_text("lies outside").wait_for()


def test_what_a_search_finds_becomes_a_dataset(
    page: Page, serve: Callable[..., Server], gridded: Path
) -> None:
    server = serve(gridded)
    show(page, server, "?q=a+cat&of=objects&where=name:demo-0*")
    page.get_by_role("button", name="Dataset").click()
    page.get_by_role("button", name="“a cat” · objects").wait_for()
    settled(page)
    number = page.get_by_role("spinbutton", name="The best so many")
    number.fill("6")
    number.press("Enter")
    settled(page)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text(re.compile(r"^\d photos? with \d+ objects in 1 class")).wait_for()
    expect(page.get_by_role("textbox", name="Photos that match")).to_have_value("name:demo-0*")
    expect(page.locator(".fk-samples img").first).to_be_visible()
    page.get_by_role("button", name="“a cat” · objects").click()
    page.get_by_text("photos match.").wait_for()
