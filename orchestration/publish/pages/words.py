"""The names on the pages in both languages, and a site's settings for its pages.

Names of the warehouse's own codes (channels, components) are here; those of the marts' columns are
in the models' YAML. Names of a site's own codes (units, groups, categories) are the site's data:
Chinese in its rules, English in `site.yml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.catalogue.tables import column_names
from orchestration.common.quarters import Quarter
from orchestration.common.settings_file import load_settings_file

Language = Literal["zh", "en"]
NUMERALS = "一二三四"

# Codes in the marts: (Chinese, as in their column descriptions; English).
TERMS: dict[str, tuple[str, str]] = {
    "hotline": ("热线", "Hotline"),
    "mailbox": ("信箱", "Mailboxes"),
    "suggestion": ("微建议", "Micro-suggestions"),
    "mayor": ("市长信箱", "Mayor's mailbox"),
    "district_head": ("区长信箱", "District head's mailbox"),
    "completion": ("办结率", "Completion"),
    "on_time": ("按期办结率", "On time"),
    "rework": ("返工率", "Sent back"),
    "dissatisfaction": ("回访不满意率", "Dissatisfied"),
}


class SiteSettings(BaseModel):
    """A site's settings for its pages (`bulletin/site.yml`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judged_from: int = Field(default=10, ge=1)
    """A unit is judged if each rate in its index has at least so many items to divide by."""
    english: dict[str, str] = {}
    """English names by code: units, groups, categories, request types. Others show their code."""


def load_settings(path: Path) -> SiteSettings:
    """Read a site's `site.yml`; the defaults if it has none.

    Raises:
        InputError: the file is invalid.
    """
    if not path.is_file():
        return SiteSettings()
    expected = "judged_from 为正整数，english 为「代码: 英文名称」"
    return load_settings_file(path, SiteSettings, "bad_site_settings", expected)


@dataclass(frozen=True)
class Words:
    """Names in one language; templates use its methods."""

    language: Language
    english: Mapping[str, str]

    @property
    def suffix(self) -> str:
        """The suffix of this language's file names; empty for Chinese."""
        return "" if self.language == "zh" else ".en"

    def choose(self, chinese: str, english: str) -> str:
        """The text in this language."""
        return chinese if self.language == "zh" else english

    def term(self, code: str) -> str:
        """The name of a measure or of another code of the warehouse; else the code in words."""
        names = names_of(code)
        return self.choose(*names) if names else _spelt(code)

    def name(self, code: str, label: str) -> str:
        """The name of a site's own code; an ASCII label counts as English and serves both."""
        if self.language == "zh" or label.isascii():
            return label
        return self.english.get(code) or _spelt(code)

    def quarter(self, quarter: Quarter) -> str:
        """A quarter in words."""
        return self.choose(
            f"{quarter.year}年第{NUMERALS[quarter.number - 1]}季度",
            f"{quarter.year} Q{quarter.number}",
        )


def names_of(code: str) -> tuple[str, str] | None:
    """The names of a column or of another code of the warehouse: Chinese, English."""
    return TERMS.get(code) or column_names().get(code)


def _spelt(code: str) -> str:
    return code.replace("_", " ").capitalize()
