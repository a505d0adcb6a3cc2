"""What was forgotten: the list of it, and what it does to rows on their way into the lake.

A citizen may ask that nothing here leads to them any more, while no published figure may change.
So a forgotten row stays, as a tombstone:

- its number becomes `forgotten-…`, a keyed hash of it, the same for the same number everywhere:
  repeats stay repeats, a rebuild gives the same bytes, and nobody without the key can try numbers
  until one fits;
- every column that no figure comes of (pseudonyms, free text that a contract keeps) becomes empty;
- unit, times, type and results stay: the figures and their controls are counted from them.

The list (`lake/erasures.json`) is the log too: who, when, why, which source, how many rows. It
names a number by its tombstone only, and is honoured by every reading of an export, so that neither
a run nor `hotline verify` brings anybody back. The retention rule makes entries for whole quarters.
The key is `HOTLINE_HASH_KEY`; it is never written down here. What is done to the files of a home is
`orchestration.operations.forget`'s.
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
HEX_DIGITS = 32
"""Of a tombstone: 128 bits, so that no two numbers share one."""


@dataclass(frozen=True)
class Erasure:
    """An entry: a number of a source wherever it stands, or every row of a source's quarter.

    `tombstone` is empty for a whole quarter, `quarter` for a number. `row_count` is how many rows
    of the lake were forgotten then. `key_mark` tells one key from another and nothing about it.
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
    """The list, in order of time; empty where nothing was ever forgotten."""
    if not home.erasures.exists():
        return []
    return [Erasure(**entry) for entry in json.loads(home.erasures.read_text(encoding="utf-8"))]


def as_text(erasures: Sequence[Erasure]) -> str:
    """The list as it is written."""
    entries = [asdict(erasure) for erasure in erasures]
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"


def key_mark() -> str:
    """What tells the key in force from another."""
    return hmac.digest(hash_key(), b"hotline erasures", "sha256").hex()[:16]


def tombstone(contract: Contract, number: str) -> str:
    """What a number of a source becomes, however one and the same number is written."""
    text = f"{contract.source}\0{canonical_identity(number, contract)}"
    return TOMBSTONE + hmac.digest(hash_key(), text.encode(), "sha256").hex()[:HEX_DIGITS]


def number_column(contract: Contract) -> str:
    """The column of the number that a person knows their case by; empty where no people are."""
    return "" if contract.source == "bulletin" else contract.identity[0]


@dataclass(frozen=True, eq=False)  # contracts have dictionaries, which have no hash
class Rule:
    """What is forgotten of the rows of one source's quarter: listed numbers, or the whole of it."""

    contract: Contract
    listed: frozenset[str]
    is_whole: bool

    def __call__(self, number: str | None) -> str | None:
        """What a number becomes; None for one that stays, or is a tombstone already.

        What the models take for no identity stays, or a rejected row would become an accepted one.
        """
        text = (number or "").strip(BLANKS)
        if text in ("", *self.contract.empty) or text.lower().startswith(TOMBSTONE):
            return None
        if not is_identity(canonical_identity(text, self.contract)):
            return None
        found = tombstone(self.contract, text)
        return found if self.is_whole or found in self.listed else None

    def erase(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of a lake file with the forgotten ones as tombstones."""
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
    """What is forgotten of a source's quarter; None if nothing is.

    Raises:
        InputError: no key, or not the one that the list was made with.
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
