"""Who may import whom (DESIGN section 4), read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "ris_assets"
MODULES = sorted(ROOT.rglob("*.py"))

PURE = ("extract", "features", "models", "evaluation", "contracts", "studio")
LAYERS = {
    "contracts": 0, "errors": 0, "settings": 0, "partitions": 1, "extract": 2, "features": 2,
    "models": 2, "evaluation": 2, "studio": 2, "resources": 3, "tracking": 3, "ingest": 3.5, "reports": 3.5,
    "windows": 3.5,
    "assets": 4, "dbt": 4,
    "jobs": 5, "schedules": 5, "checks": 5, "definitions": 6, "demo": 6, "launcher": 6, "summary": 6,
    "forget": 6, "runs": 7, "cli_runs": 8, "cli_source": 8, "cli_bench": 8, "cli_check": 8, "cli_forget": 8,
    "cli_model": 8, "cli_reload": 8,
    "cli": 9,
}  # fmt: skip
DRIVERS = {"psycopg", "psycopg2", "adbc_driver_postgresql", "sqlalchemy", "connectorx"}
ONLY_IN = {
    "pymongo": ("resources/mongo.py", "resources/raw_batches.py"),
    "mlflow": ("resources/mlflow.py", "tracking.py", "models/logged_"),
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_imports_go_only_downwards(path):
    mine = room(path)
    for name in imports(path):
        parts = name.split(".")
        if (
            parts[0] != "ris_assets"
            or len(parts) < 2
            or parts[1] not in LAYERS
            or mine == "__init__"
        ):
            continue
        assert LAYERS[parts[1]] <= LAYERS[mine], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_libraries_stay_in_their_rooms(path):
    relative = str(path.relative_to(ROOT))
    tops = {name.split(".")[0] for name in imports(path)}
    for library, places in ONLY_IN.items():
        if library in tops:
            assert relative.startswith(places), f"{relative} imports {library}"
    if room(path) in PURE and not relative.startswith("models/logged_"):
        assert not tops & ({"dagster", "mlflow", "pymongo"} | DRIVERS)
    assert not any(name.startswith("dagster._") for name in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
def test_only_settings_reads_the_environment(path):
    reads = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) in ("os", "os.environ")
    }
    if room(path) != "settings":
        assert not reads & {"getenv", "get"}, f"{path.name} reads the environment"


def test_asset_modules_do_not_import_each_other():
    for path in (ROOT / "assets").glob("*.py"):
        others = {n for n in imports(path) if n.startswith("ris_assets.assets")}
        assert not others, f"{path.name} imports {others}"


def test_every_room_has_a_layer():
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(LAYERS), rooms - set(LAYERS)
