"""What a run says of dbt's errors: which model, why, and nothing of a member."""

import pytest

from ris_assets.dbt import first_failure, without_rows

BROKEN_KEY = """\
Database Error in model interval_hp (models/marts/interval_hp.sql)
  duplicate key value violates unique constraint "interval_hp_pkey"
  DETAIL:  Key (spell_id, week_start)=(anna:1, 2025-06-16) already exists.
  compiled code at target/run/ris/models/marts/interval_hp.sql"""


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (
            ["Failure in model interval_hp (models/marts/interval_hp.sql)", BROKEN_KEY],
            "Failure in model interval_hp (models/marts/interval_hp.sql):"
            ' duplicate key value violates unique constraint "interval_hp_pkey"',
        ),
        (
            ["Failure in test unique_hp (models/x.yml)", "Got 3 results, configured to fail if != 0"],
            "Failure in test unique_hp (models/x.yml): Got 3 results, configured to fail if != 0",
        ),
        (["Encountered an error:\nno profile"], "Encountered an error:"),
    ],
)  # fmt: skip
def test_a_failure_names_what_failed_and_why(errors, sentence):
    assert first_failure([without_rows(error) for error in errors]) == sentence


def test_no_row_that_the_database_quotes_is_repeated():
    assert "anna" not in without_rows(BROKEN_KEY)
    assert "compiled code" in without_rows(BROKEN_KEY)
