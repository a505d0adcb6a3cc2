"""What is a blank and which identities are the same: one definition, for Python and the models."""

import random
from pathlib import Path

import duckdb
import jinja2
import pytest
import yaml
from conftest import EXPORTS, PROJECT

from orchestration.common.errors import InputError
from orchestration.reading.canonical import (
    BLANKS,
    RULES,
    canonical_identity,
    clean_text,
    fold,
    is_identity,
)
from orchestration.reading.contracts import IdentityVariants, load_contracts
from orchestration.reading.value_forms import written_rules

MODELS = PROJECT / "dbt_project"
TICKET = load_contracts(EXPORTS / "contracts")["ticket"]
ALIKE = TICKET.model_copy(
    update={
        "identity_variants": IdentityVariants(
            letter_case="same", leading_zeros="same", decimal_zero="same"
        )
    }
)
PIECES = [
    *("Y", "x", "0", "00", "1", "7", ".", ".0", "-", "E+", "=", '"', '="', '"', "'", "#", "/"),
    *("\u2018", "\u2019", "`", " ", "\t", "\n", "\u00a0", "\u3000", "\u2009", "\u200b", "\u200e"),
    *("\u202a", "\u202c", "\u2066", "\u2069", "\u00ad", "\ufeff", "\u2060", "\ufe0f", "\U000e0041"),
    *("Ａ", "ｚ", "０", "９", "＝", "＂", "＇", "号", "é", "ß", "\\", "'", "[", "]", "^", "-"),
]


@pytest.mark.parametrize(
    "written",
    [
        *("YX1", '="YX1"', "'YX1", "\u2019YX1", '"YX1"', '""YX1""', "＝＂YX1＂"),
        *("Y X1", "YX1\t", "\u00a0YX1", "\u3000YX 1\u2003", "\u200eYX1", "YX1\u200f"),
        *("\u202aYX1\u202c", "\u202eYX1", "\u2066YX1\u2069", "Y\u200bX1", "Y\u200dX1", "\ufeffYX1"),
        *("YX\u00ad1", "Y\u2060X1", "ＹＸ１", "YX１", "YX1\ufe0f", "'\u200eYX1 ", "YX1\r\n"),
    ],
)
def test_what_nobody_sees_makes_no_other_identity(written):
    assert canonical_identity(written, TICKET) == "YX1"
    assert is_identity(canonical_identity(written, TICKET))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("yx1", "YX1"), ("0012", "12"), ("12.0", "12"), ("12.00", "012"), ("ｙｘ1", "YX1")),
        *(("YX1.0", "YX1"), ("yx1.00", "YX1"), ("A-7.0", "A-7"), ("1.2.0", "1.2")),
    ],
)
def test_the_contract_says_whether_variants_are_the_same(one, other):
    assert canonical_identity(one, ALIKE) == canonical_identity(other, ALIKE)
    forms = [canonical_identity(text, TICKET) for text in (one, other)]
    assert forms[0] != forms[1]
    assert fold(forms[0], TICKET, "stop") == fold(forms[1], TICKET, "stop")


@pytest.mark.parametrize(
    "text", ["=A2", "=T(A2)", "2.02203E+16", "2e+15", "#N/A", "#REF!", "#####", "", '=""', "＃N/A"]
)
def test_what_stands_in_an_identitys_place_is_none(text):
    assert not is_identity(canonical_identity(text, TICKET))


@pytest.mark.parametrize(
    "text", ["2E10", "#12", "A=1", "1.5", "1.10", "A.0", "0", "000", "YX-1/2", "号1"]
)
def test_odd_identities_stay_as_they_are(text):
    assert canonical_identity(text, TICKET) == text and is_identity(text)


def test_values_are_cleaned_of_the_same_marks():
    for text in (
        '="区人社局"',
        "'区人社局",
        "区人\u200b社局",
        "\u202a区人社局\u202c",
        "区人社局\u3000",
    ):
        assert clean_text(text) == "区人社局"
    assert clean_text("区 人社局") == "区 人社局"  # a blank inside is seen
    assert clean_text("".join(BLANKS)) == ""


def test_the_models_unit_tests_use_these_very_rules():
    (canonical, *_) = yaml.safe_load((MODELS / "models/staging/_unit_tests.yml").read_text())[
        "anchors"
    ]
    assert {name: canonical[name] for name in RULES} == RULES
    assert written_rules(TICKET).items() >= RULES.items()


def macros():
    """The macros of text.sql as DuckDB's target renders them."""

    class Adapter:
        def dispatch(self, name):
            return getattr(module, f"duckdb__{name}")

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals |= {"adapter": Adapter(), "return": lambda value: value}
    path: Path = MODELS / "macros" / "text.sql"
    module = environment.from_string(path.read_text(encoding="utf-8")).module
    return module


def test_the_models_and_python_agree_on_any_text():
    some = random.Random(13)
    texts = ["".join(some.choices(PIECES, k=some.randint(0, 7))) for _ in range(4000)]
    module = macros()
    with duckdb.connect() as connection:
        connection.execute("create table written as select unnest(?) as text", [texts])
        for contract in (TICKET, ALIKE):
            rules = written_rules(contract)
            clean, identity, loose = (
                module.clean_text("text", rules),
                module.identity_text("text", rules),
                module.folded_identity("identity", rules, "stop"),
            )
            found = connection.execute(
                f"select text, clean, identity, {loose} as loose, "
                f"regexp_matches(identity, '{RULES['bad_identity']}') from "
                f"(select text, {clean} as clean, {identity} as identity from written)"
            ).fetchall()
            assert len(found) == len(texts)
            for text, cleaned, identified, loosely, is_bad in found:
                assert cleaned == clean_text(text), ascii(text)
                canonical = canonical_identity(text, contract)
                assert identified == canonical, ascii(text)
                assert loosely == fold(canonical, contract, "stop"), ascii(text)
                assert is_bad == (canonical != "" and not is_identity(canonical)), ascii(text)


@pytest.mark.parametrize(
    ("source", "identity"),
    [
        ("ticket", "[work_order_id, request_type]"),
        ("ticket", "[unit_name, work_order_id]"),
        ("mailbox", "[letter_id, mailbox]"),
        ("suggestion", "[suggestion_id, deadline_at]"),
        ("bulletin", "[document, table_name]"),
    ],
)
def test_an_identity_that_the_models_do_not_know_is_refused(source, identity, exports):
    path = exports / "contracts" / f"{source}.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("identity"))
    lines[at] = f"identity: {identity}"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_contracts(exports / "contracts")
    assert (caught.value.code, caught.value.row) == ("bad_contract", at + 1)
    assert caught.value.file == f"contracts/{source}.yml"
