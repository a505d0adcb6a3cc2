"""The bulletin that we published, given back to us as the published one."""

import shutil

import pytest
from conftest import EXPORTS, hotline

from orchestration.common.quarters import Quarter
from orchestration.common.settings import DBT_PROJECT
from orchestration.lint.bulletin import Bulletin, Rules, read_bulletin
from orchestration.lint.comparisons import lint
from orchestration.reading.contracts import load_contracts


@pytest.mark.parametrize("name", ["bulletin.docx", "bulletin.xlsx"])
def test_what_is_published_reads_back_as_the_published_bulletin(published_home, name):
    """Each printed figure agrees with the marts, and no comparison comes twice."""
    contract = load_contracts(EXPORTS / "contracts")["bulletin"]
    figures = read_bulletin(
        published_home / "published" / "bulletin" / "2022Q2" / name, contract, "2022Q2"
    )
    rules = Rules.load(DBT_PROJECT / "seeds", contract, Quarter.parse("2022Q2"))
    found = lint(Bulletin.of(figures, rules), rules)
    keys = [(row.control_id, row.subject, row.measure) for row in found]
    assert len(keys) > 700
    assert len(set(keys)) == len(keys)
    assert {row.control_id for row in found if row.contradicts} <= {
        "bulletin_callback",
        "bulletin_name",
    }


@pytest.mark.slow
def test_our_own_bulletin_returned_is_reconciled(published_home, exports, tmp_path):
    """Only the register of known discrepancies, which explains another document's, stops it."""
    (exports / "2022Q2" / "bulletin.csv").unlink()
    shutil.copy(
        published_home / "published" / "bulletin" / "2022Q2" / "bulletin.docx", exports / "2022Q2"
    )
    ran = hotline("run", "2022Q2", home=tmp_path / "home", exports=exports)
    assert ran.status == 1, ran.out + ran.err
    assert "unique_combination" not in ran.out + ran.err
    assert "[known_discrepancy_is_used]" in ran.out + ran.err
