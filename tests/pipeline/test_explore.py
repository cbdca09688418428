"""`ris explore` and its asset on the demo studio's dump: the draft against the map that the studio ships."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import bson
import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from ris_assets.assets.explore import source_profile
from ris_assets.cli_source import explore
from ris_assets.extract.source_map import SourceMap, load_source_map
from ris_assets.resources.mongo import MongoResource
from ris_assets.settings import forget_settings
from ris_assets.studio import simulate as simulate_module
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.simulate import simulate
from tests.unit.explore_case import embedded
from tests.wire_server import wire_server

TRUTH = Path(simulate_module.__file__).with_name("source_map.yaml")
STUDIO = StudioConfig(members=150, weeks=30, seed=5, end_date=date(2024, 6, 30))
REPORTS = ["profile.html", "profile.json", "profile.md", "source_map.draft.yaml"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explored") / "studio"
    simulate(STUDIO, out)
    return out / "dump"


@pytest.fixture
def home(tmp_path: Path, dump: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RIS_MONGO_URL", f"file:{dump}")
    forget_settings()
    yield tmp_path / "home"
    forget_settings()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(explore, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def places(source_map: SourceMap) -> dict[str, tuple[str, str | None]]:
    parts = {name: one.sources[0] for name, one in source_map.entities.items()}
    return {name: (part.collection, part.explode) for name, part in parts.items()}


def fields(source_map: SourceMap, entity: str) -> dict[str, tuple[str | None, float | None]]:
    specs = source_map.entities[entity].sources[0].fields
    return {name: (spec.path, spec.factor) for name, spec in specs.items()}


def test_the_draft_of_the_demo_finds_every_collection_and_the_mandatory_fields(home: Path):
    run()
    draft, truth = load_source_map(home / "schemas" / REPORTS[-1]), load_source_map(TRUTH)
    assert places(draft) == places(truth)
    # Whether a price is in hundredths cannot be told from its numbers.
    untold = {("hero_passes", "price")}
    for entity in ("users", "hero_passes"):
        found, wanted = fields(draft, entity), fields(truth, entity)
        assert {
            n for n in wanted if found.get(n) != wanted[n] and (entity, n) not in untold
        } == set()


def test_the_command_tells_collections_guesses_and_paths(home: Path):
    output = run("--sample", "50")
    assert "heroPasses" in output and "station_results" in output
    assert all(str(home / "schemas" / name) in output for name in REPORTS)
    profile = json.loads((home / "schemas" / "profile.json").read_text())
    assert profile["most_documents"] == 50
    assert max(one["sampled"] for one in profile["collections"]) == 50


def test_the_command_writes_where_it_is_told(home: Path, tmp_path: Path):
    run("--out", str(tmp_path / "out"), "--draft", str(tmp_path / "map.yaml"), "--seconds", "5")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == REPORTS[:3]
    assert "users" in yaml.safe_load((tmp_path / "map.yaml").read_text())["entities"]
    assert not (home / "schemas").exists()


def test_the_asset_gives_the_same_and_shows_no_value_of_any_document(home: Path):
    run()
    by_command = _without_time(home / "schemas")
    result = dg.materialize([source_profile], resources={"mongo": MongoResource()})
    assert result.success and _without_time(home / "schemas") == by_command
    (event,) = result.asset_materializations_for_node("source_profile")
    shown = " ".join(str(value.value) for value in event.metadata.values())
    assert (
        event.metadata["collection_count"].value == 14
        and event.metadata["entities_drafted"].value == 13
    )
    assert "heroPasses" in shown and str(home / "schemas" / "profile.html") in shown
    profile = json.loads((home / "schemas" / "profile.json").read_text())
    examples = {
        e
        for one in profile["collections"]
        for f in one["fields"]
        for e in f["examples"]
        if len(e) > 8
    }
    assert examples and not [example for example in examples if example in shown]


def _without_time(out: Path) -> list[Any]:
    profile = json.loads((out / "profile.json").read_text())
    for one in profile["collections"]:
        del one["seconds"]
    return [profile["collections"], (out / "source_map.draft.yaml").read_text()]


def test_a_server_is_explored_like_its_dump(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shape = embedded(60)
    folder = tmp_path / "dump" / "studio"
    folder.mkdir(parents=True)
    for name, documents in shape.items():
        (folder / f"{name}.bson").write_bytes(b"".join(map(bson.encode, documents)))
    monkeypatch.setenv("RIS_MONGO_URL", f"file:{folder}")
    forget_settings()
    run("--out", str(tmp_path / "dumped"))
    with wire_server(shape) as server:
        monkeypatch.setenv("RIS_MONGO_URL", server.url)
        forget_settings()
        run("--out", str(tmp_path / "live"))
    found = []
    for out in (tmp_path / "dumped", tmp_path / "live"):
        collections = json.loads((out / "profile.json").read_text())["collections"]
        fields = [sorted(one["fields"], key=lambda field: field["path"]) for one in collections]
        found.append((fields, (out / REPORTS[-1]).read_text()))
    assert found[0] == found[1] and "memberships.pauses" in found[0][1]
