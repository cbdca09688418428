"""What exploring writes: readable by its owner only, whole or not at all, and without anybody in it."""

import json
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ris_assets.errors import RisError
from ris_assets.extract.profiling.explore import Bounds
from ris_assets.extract.profiling.report import size_text, write_reports
from ris_assets.extract.profiling.write import explore_and_write
from tests.unit.explore_case import Database, crm

HOSTILE = "<script>alert(1)</script>"
REPORTS = ["profile.html", "profile.json", "profile.md", "source_map.draft.yaml"]


class _Page(HTMLParser):
    """Collects tags and what they would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            str(v) for k, v in attrs if k in ("src", "href") and not str(v).startswith("#")
        ]


def report(out: Path, collections: dict[str, Any], **options: Any) -> dict[str, str]:
    found = explore_and_write(Database(collections), out, "Asia/Almaty", **options)
    return {path.name: path.read_text() for path in found.paths}


def test_all_reports_are_written_for_their_owner_only(tmp_path: Path):
    out = tmp_path / "new" / "schemas"
    assert sorted(report(out, crm(30))) == sorted(path.name for path in out.iterdir()) == REPORTS
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_no_report_names_anybody(tmp_path: Path):
    for text in report(tmp_path, crm(30)).values():
        assert not any(own in text for own in ("+7701", "Familiya", "@mail.kz"))


def test_the_json_holds_what_was_counted(tmp_path: Path):
    whole = json.loads(report(tmp_path, crm(30))["profile.json"])
    clients = next(one for one in whole["collections"] if one["name"] == "clients")
    fields = {field["path"]: field for field in clients["fields"]}
    assert (clients["documents"], clients["sampled"], clients["indexes"]) == (30, 30, ["_id_"])
    assert fields["rost"]["type_shares"] == {"double": 1.0} and fields["rost"]["fill"] == 1.0
    assert fields["telefon"]["examples"] == ["<phone>"] and "ids" not in fields["_id"]
    visits = next(one for one in whole["collections"] if one["name"] == "visits")
    (reference,) = next(f for f in visits["fields"] if f["path"] == "client_id")["references"]
    assert reference == {"collection": "clients", "path": "_id", "share": 1.0, "checked": 30}


def test_what_comes_from_the_source_is_escaped_in_every_report(tmp_path: Path):
    texts = report(
        tmp_path, {HOSTILE: [{"_id": 1, HOSTILE: HOSTILE, "a|b": "x|y\n# z", "n": "`*_"}]}
    )
    page = _Page()
    page.feed(texts["profile.html"])
    assert "script" not in page.tags and HOSTILE not in texts["profile.md"]
    rows = [line for line in texts["profile.md"].splitlines() if line.startswith("| ")]
    assert (
        len({line.count("|") for line in rows if "a&" in line}) == 1
        and "\n# z" not in texts["profile.md"]
    )


def test_the_page_is_whole_without_a_network(tmp_path: Path):
    page = _Page()
    page.feed(report(tmp_path, crm(30))["profile.html"])
    assert page.fetched == [] and page.tags.count("details") == len(crm(1))


def test_texts_no_file_can_hold_do_not_stop_the_reports(tmp_path: Path):
    assert "profile.json" in report(tmp_path, {"odd": [{"a": "\x00\x1b[31m", "b\x07": "\u2028"}]})


def test_the_draft_goes_where_it_is_asked_for(tmp_path: Path):
    draft = tmp_path / "maps" / "mine.yaml"
    report(tmp_path / "out", crm(30), draft=draft)
    assert "clients" in draft.read_text() and not (tmp_path / "out" / REPORTS[-1]).exists()


def test_a_failed_write_leaves_the_earlier_report_whole(tmp_path: Path, monkeypatch):
    write_reports(tmp_path, {Path("profile.md"): "earlier"})

    def full(*_: Any) -> Path:
        raise OSError(28, "No space left on device", "profile.md")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RisError, match="No space left"):
        write_reports(tmp_path, {Path("profile.md"): "later"})
    assert [path.name for path in tmp_path.iterdir()] == ["profile.md"]
    assert (tmp_path / "profile.md").read_text() == "earlier"


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path):
    tmp_path.chmod(0o755)
    write_reports(tmp_path, {Path("profile.md"): ""})
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "size, text",
    [(None, "?"), (0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (2_340_000_000, "2.3 GB")],
)
def test_sizes_are_readable(size, text):
    assert size_text(size) == text


def test_the_time_of_each_collection_is_bounded(tmp_path: Path):
    found = explore_and_write(
        Database(crm(30)), tmp_path, "Asia/Almaty", bounds=Bounds(10**6, 1e-9)
    )
    assert {one.sampled for one in found.profile.collections} == {1}
