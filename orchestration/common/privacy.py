"""A district's privacy settings, read from `privacy.yml` beside the contracts.

A setting is off if it, or the whole file, is missing.
"""

from pydantic import BaseModel, ConfigDict, Field

from orchestration.common.settings import privacy_settings
from orchestration.common.settings_file import load_settings_file


class PrivacySettings(BaseModel):
    """The settings; see docs/runbook.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retention_months: int | None = Field(default=None, ge=1)
    """How many months after its end a quarter's rows keep their numbers, pseudonyms and texts."""
    small_count_threshold: int | None = Field(default=None, ge=2)
    """The least count of a unit or a topic that the bulletin and the pages show."""


def load_privacy_settings() -> PrivacySettings:
    """The settings in force.

    Raises:
        InputError: the file isn't valid.
    """
    path = privacy_settings()
    if not path.is_file():
        return PrivacySettings()
    return load_settings_file(
        path,
        PrivacySettings,
        "bad_privacy",
        "retention_months: 月数；small_count_threshold: 2 以上的整数；不启用的不写",
    )
