"""Settings: what is refused, in which words, and what never shows."""

import pytest

from ris_assets.errors import RisError
from ris_assets.settings import forget_settings, get_settings, parse_settings, remember


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RIS_TIMEZONE", "Asia/Atlantis", "RIS_TIMEZONE: unknown time zone 'Asia/Atlantis'"),
        ("RIS_POSTGRES_URL", "mysql://x", "RIS_POSTGRES_URL: must start with postgresql://"),
        ("RIS_MONGO_URL", "/dump", "RIS_MONGO_URL: must start with mongodb://"),
        (
            "RIS_SOURCE_MAP",
            "/nowhere.yaml",
            "RIS_SOURCE_MAP: the file /nowhere.yaml cannot be read",
        ),
        ("RIS_START_DATE", "31.3.2017", "RIS_START_DATE: '31.3.2017' is no day; write YYYY-MM-DD"),
        ("RIS_COUNTRY", "ATL", "RIS_COUNTRY: unknown country 'ATL'"),
    ],
)
def test_a_wrong_setting_ends_in_one_sentence_that_names_it(variable, value, words):
    with pytest.raises(RisError) as raised:
        parse_settings({variable: value})
    assert str(raised.value).startswith(words)


def test_urls_never_show():
    secret = "postgresql://u:hunter2@h/d"
    settings = parse_settings(
        {"RIS_POSTGRES_URL": secret, "RIS_MONGO_URL": "mongodb://u:hunter2@h/d"}
    )
    assert "hunter2" not in repr(settings)
    assert settings.postgres_url == secret


def test_paths_hold_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").touch()
    settings = parse_settings({"RIS_SOURCE_MAP": "my.yaml", "RIS_MONGO_URL": "file:dump?db=a"})
    assert settings.source_map == tmp_path / "my.yaml"
    assert settings.mongo_url == f"file:{tmp_path}/dump?db=a"


def test_an_empty_variable_counts_as_unset():
    assert parse_settings({"RIS_TIMEZONE": ""}).timezone == "Asia/Almaty"


def test_what_is_remembered_gives_way_to_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RIS_HOME", str(tmp_path))
    remember(tmp_path, {"RIS_START_DATE": "2025-01-01", "RIS_COUNTRY": "KZ"})
    assert str(get_settings().start_date) == "2025-01-01"
    monkeypatch.setenv("RIS_START_DATE", "2025-02-02")
    forget_settings()
    assert str(get_settings().start_date) == "2025-02-02"
    monkeypatch.undo()
    forget_settings()
