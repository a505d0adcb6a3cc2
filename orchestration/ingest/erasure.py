"""The list of erasures, and how it turns rows into tombstones on their way into the lake.

A citizen may ask for every trace of them to be erased, but no published figure may change. So an
erased row stays as a tombstone:

- Its number becomes `forgotten-…`, a keyed hash. The same number has the same hash everywhere, so
  that repeats stay repeats and a rebuild gives the same bytes. Without the key, nobody can find the
  number by trying candidates.
- Columns that no figure depends on (pseudonyms, free text that a contract keeps) become empty.
- Unit, times, type and results stay: the figures and their controls are counted from them.

The list (`lake/erasures.json`) is also the log: who, when, why, which source, how many rows. It has
tombstones in place of numbers. It is applied whenever an export is read, so that neither a run nor
`hotline verify` restores an erased row. The retention rule adds entries for whole quarters. The key
is `HOTLINE_HASH_KEY`, which is never written to a file. Erasing in a home's existing files belongs
to `orchestration.operations.forget`.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from orchestration.common.errors import InputError
from orchestration.common.settings import Home
from orchestration.reading.canonical import BLANKS, canonical_identity, is_identity
from orchestration.reading.columns import LAKE_COLUMNS, canonical_columns
from orchestration.reading.contracts import Contract, hash_key

TOMBSTONE = "forgotten-"
# Hexadecimal digits of a tombstone: 128 bits, so that no two numbers share one.
HEX_DIGITS = 32


@dataclass(frozen=True)
class Erasure:
    """An entry: one number of a source in all quarters, or all rows of a source's quarter.

    `tombstone` is empty for a whole quarter, `quarter` for a number. `row_count` is the number of
    lake rows erased at the time. `key_mark` identifies the key without revealing it.
    """

    source: str
    tombstone: str
    quarter: str
    erased_at: str
    operator: str
    reason: str
    row_count: int
    key_mark: str


def read_erasures(home: Home) -> list[Erasure]:
    """The list in chronological order; empty if nothing was ever erased."""
    if not home.erasures.exists():
        return []
    return [Erasure(**entry) for entry in json.loads(home.erasures.read_text(encoding="utf-8"))]


def as_text(erasures: Sequence[Erasure]) -> str:
    """The list as the JSON text that is stored."""
    entries = [asdict(erasure) for erasure in erasures]
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"


def key_mark() -> str:
    """A mark that identifies the key in force without revealing it."""
    return hmac.digest(hash_key(), b"hotline erasures", "sha256").hex()[:16]


def tombstone(contract: Contract, number: str) -> str:
    """The tombstone of a source's number; all spellings of one number give the same tombstone."""
    text = f"{contract.source}\0{canonical_identity(number, contract)}"
    return TOMBSTONE + hmac.digest(hash_key(), text.encode(), "sha256").hex()[:HEX_DIGITS]


def number_column(contract: Contract) -> str:
    """The column with a case's number; empty for the bulletin, which has no personal cases."""
    return "" if contract.source == "bulletin" else contract.identity[0]


@dataclass(frozen=True, eq=False)  # contracts contain dictionaries, which can't be hashed
class Rule:
    """The erasures that apply to one source's quarter: listed numbers, or all rows."""

    contract: Contract
    listed: frozenset[str]
    is_whole: bool

    def __call__(self, number: str | None) -> str | None:
        """The tombstone of a number; None if it isn't erased or is a tombstone already.

        Text that the models don't accept as an identity is kept: as a tombstone, a rejected row
        would be accepted.
        """
        text = (number or "").strip(BLANKS)
        if text in ("", *self.contract.empty) or text.lower().startswith(TOMBSTONE):
            return None
        if not is_identity(canonical_identity(text, self.contract)):
            return None
        found = tombstone(self.contract, text)
        return found if self.is_whole or found in self.listed else None

    def erase(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of a lake file, with the erased ones as tombstones."""
        contract = self.contract
        number = number_column(contract)
        kept = {*canonical_columns().get(contract.source, contract.identity), *LAKE_COLUMNS}
        emptied = [name for name in frame.collect_schema().names() if name not in kept]
        new = pl.col(number).map_elements(self, return_dtype=pl.String)
        stays = pl.lit(not self.is_whole) & pl.col(TOMBSTONE).is_null()
        return (
            frame.with_columns(new.alias(TOMBSTONE))
            .with_columns(
                pl.coalesce(TOMBSTONE, number).alias(number),
                *(pl.when(stays).then(pl.col(name)).alias(name) for name in emptied),
            )
            .drop(TOMBSTONE)
        )


def rule_for(erasures: Iterable[Erasure], contract: Contract, quarter: str) -> Rule | None:
    """The erasures that apply to a source's quarter; None if there are none.

    Raises:
        InputError: there is no key, or the list was made with another one.
    """
    own = [
        erasure
        for erasure in erasures
        if erasure.source == contract.source and erasure.quarter in ("", quarter)
    ]
    if not own:
        return None
    if {erasure.key_mark for erasure in own} != {key_mark()}:
        raise InputError(
            code="wrong_hash_key",
            file="lake/erasures.json",
            found="遗忘名单是用另一个密钥写的，认不出其中的记录",
            expected="写名单时的 HOTLINE_HASH_KEY",
            action="设回原来的密钥；密钥确已丢失的，按运行手册「密钥」一节处理",
        )
    listed = frozenset(erasure.tombstone for erasure in own if erasure.tombstone)
    return Rule(contract, listed, is_whole=any(not erasure.tombstone for erasure in own))
