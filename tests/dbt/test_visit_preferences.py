"""What members prefer goes by their last 26 weeks, also where these are moved on day by day. Worked out by hand."""

from zoneinfo import ZoneInfo

import pytest

from tests.dbt.marts import Marts
from tests.dbt.raw_rows import RawRows

ALMATY = ZoneInfo("Asia/Almaty")
MORNING = {"coach_id": "ann", "club_id": "east", "class_type": "yoga"}
EVENING = {"coach_id": "bo", "club_id": "west", "class_type": "boxing"}
PREFERS = {
    "ann": ("ann", "east", "yoga", 7),
    "bo": ("bo", "west", "boxing", 19),
    None: (None, None, None, None),
}
EXPECTED = {
    # The 26 weeks begin on 1 January, on the 8th, on the 15th and on 18 March.
    "2024-06-30": {"reg": "ann", "tie": "bo", "still": "bo", "undone": "ann", "new": None},
    "2024-07-01": {"reg": "ann", "tie": "bo", "still": "bo", "undone": None, "new": None},
    "2024-07-08": {"reg": "bo", "tie": "bo", "still": "bo", "undone": None, "new": "ann"},
    "2024-09-09": {"reg": None, "tie": "bo", "still": "bo", "undone": None, "new": "ann"},
}


@pytest.fixture
def studio(marts: Marts) -> Marts:
    """Reg came in the mornings and later, less often, in the evenings; Tie once each; Undone's visit was none.

    Still came once each too: a later morning was none.
    """
    raw = RawRows(ALMATY)
    for name in ("reg", "tie", "still", "undone", "new"):
        raw.member(name)
        raw.hero_pass(f"{name}-1", "2024-01-01 10:00", "2024-01-01", "2024-12-30")
    for day in ("2024-01-08", "2024-01-10", "2024-01-12"):
        raw.booking("reg", f"{day} 07:00", **MORNING)
    for day in ("2024-03-05", "2024-03-06"):
        raw.booking("reg", f"{day} 19:00", **EVENING)
    for name in ("tie", "still"):
        raw.booking(name, "2024-05-01 07:00", **MORNING)
        raw.booking(name, "2024-05-02 19:00", **EVENING)
    for name, day, undone_on in (
        ("still", "2024-05-03", "2024-05-05"),
        ("undone", "2024-06-25", "2024-07-01"),
    ):
        raw.booking(name, f"{day} 07:00", booking_id=name, **MORNING)
        raw.booking(name, f"{day} 07:00", "no_show", booking_id=name,
                    known_at=f"{undone_on} 12:00", **MORNING)  # fmt: skip
    raw.booking("new", "2024-07-08 07:00", **MORNING)
    marts.timezone = str(ALMATY)
    marts.reset()
    raw.write(marts.url, min(EXPECTED))
    marts.succeed("seed")
    return marts


def test_preferences_move_on_with_the_horizon(studio: Marts):
    first, models = "1900-01-01", "+core_user"
    for horizon, expected in EXPECTED.items():
        studio.execute(f"update ris_raw.extraction_log set through_day = '{horizon}'")
        studio.run_only(models, first, horizon)
        found = studio.read(
            "select user_id, preferred_coach_id, preferred_club_id, preferred_class_type,"
            " preferred_hour from ris.core_user"
        )
        preferred = {user: tuple(rest) for user, *rest in found.rows()}
        assert preferred == {user: PREFERS[coach] for user, coach in expected.items()}, horizon
        first, models = horizon, "+int_visit_preferences core_user"
