"""What things are called on the pages, in both languages, and what a site decides about them.

Names of the warehouse's own codes (measures, channels, components) stand here; names of a site's
own codes (units, groups, categories) are its data: Chinese in its rules, English in `site.yml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.common.quarters import Quarter
from orchestration.common.settings_file import load_settings_file

Language = Literal["zh", "en"]
NUMERALS = "一二三四"

# Measures and codes of the marts: (Chinese, as their column descriptions have it; English).
TERMS: dict[str, tuple[str, str]] = {
    "due_count": ("应办理数", "Due"),
    "handled_count": ("办理数", "Handled"),
    "completion_rate": ("办结率", "Completion rate"),
    "on_time_count": ("按期办理数", "On time"),
    "on_time_rate": ("按期办结率", "On-time rate"),
    "overdue_count": ("超期数", "Overdue"),
    "rework_count": ("返工数", "Sent back"),
    "rework_rate": ("返工率", "Sent-back rate"),
    "callback_count": ("回访数", "Callbacks"),
    "dissatisfied_count": ("回访不满意数", "Dissatisfied"),
    "dissatisfaction_rate": ("回访不满意率", "Dissatisfied rate"),
    "satisfaction_rate": ("群众满意率", "Satisfaction rate"),
    "composite_index": ("综合指标值", "Composite index"),
    "unit_count": ("单位数", "Units"),
    "rank_in_group": ("组内名次", "Rank in group"),
    "policy_version": ("指标方案版本", "Index policy"),
    "evaluation_group": ("单位类别", "Group"),
    "distinct_item_count": ("件数", "Items"),
    "assignment_count": ("交办数", "Assignments"),
    "ticket_count": ("件数", "Tickets"),
    "share": ("占比", "Share"),
    "previous_count": ("上季度件数", "Quarter before"),
    "quarter_on_quarter_change": ("环比增长", "Change"),
    "numerator": ("分子", "Numerator"),
    "denominator": ("分母", "Denominator"),
    "rate": ("比率", "Rate"),
    "weight": ("权重", "Weight"),
    "points": ("得分", "Points"),
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
    """What a site decides about its pages (`bulletin/site.yml`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judged_from: int = Field(default=10, ge=1)
    """A unit is judged if each rate in its index has at least so many items to divide by."""
    english: dict[str, str] = {}
    """English names by code: units, groups, categories, request types. Others show their code."""


def load_settings(path: Path) -> SiteSettings:
    """Read a site's `site.yml`; the defaults where it has none.

    Raises:
        InputError: the file isn't what it should be.
    """
    if not path.is_file():
        return SiteSettings()
    expected = "judged_from 为正整数，english 为「代码: 英文名称」"
    return load_settings_file(path, SiteSettings, "bad_site_settings", expected)


@dataclass(frozen=True)
class Words:
    """Names in one language; templates get its methods."""

    language: Language
    english: Mapping[str, str]

    @property
    def suffix(self) -> str:
        """What tells this language's files from the Chinese ones."""
        return "" if self.language == "zh" else ".en"

    def choose(self, chinese: str, english: str) -> str:
        """The text in this language."""
        return chinese if self.language == "zh" else english

    def term(self, code: str) -> str:
        """The name of a measure or of another code of the warehouse; else the code in words."""
        return self.choose(*TERMS[code]) if code in TERMS else _spelt(code)

    def name(self, code: str, label: str) -> str:
        """The name of a site's own code; a site's label that is English already serves both."""
        if self.language == "zh" or label.isascii():
            return label
        return self.english.get(code) or _spelt(code)

    def quarter(self, quarter: Quarter) -> str:
        """A quarter in words."""
        return self.choose(
            f"{quarter.year}年第{NUMERALS[quarter.number - 1]}季度",
            f"{quarter.year} Q{quarter.number}",
        )


def _spelt(code: str) -> str:
    return code.replace("_", " ").capitalize()
