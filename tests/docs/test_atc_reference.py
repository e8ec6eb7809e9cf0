"""The pages about atc are those that the data makes."""

from __future__ import annotations

from tests.docs.atc_reference import REFERENCE, command_page, errors_page

AGAIN = "run: python tests/docs/atc_reference.py"


def test_the_errors_page_is_up_to_date() -> None:
    assert (REFERENCE / "atc-errors.md").read_text("utf-8") == errors_page(), AGAIN


def test_the_table_of_flags_is_up_to_date() -> None:
    assert (REFERENCE / "atc-command.md").read_text("utf-8") == command_page(), AGAIN
