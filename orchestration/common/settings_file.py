"""YAML settings files: safe loading, validation by a pydantic model, error messages in Chinese."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from orchestration.common.errors import InputError
from orchestration.common.safe_text import lines

Model = TypeVar("Model", bound=BaseModel)
# The most mistakes of one file that a message lists.
SHOWN = 5
CHINESE = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这个设置",
    "string_type": "应为文字",
    "tuple_type": "应为列表",
    "literal_error": "不是允许的取值",
    "bool_parsing": "应为 true 或 false",
    "int_parsing": "应为整数",
    "string_pattern_mismatch": "写法不对",
    "model_type": "应为一组设置",
}


def load_settings_file(path: Path, model: type[Model], code: str, expected: str) -> Model:
    """Read a YAML file into a model; an empty file has no settings.

    Args:
        path: the file.
        model: the pydantic model to validate against.
        code: the code of the error that is raised if the file is invalid.
        expected: the expected form in Chinese, for the error message.

    Raises:
        InputError: the file isn't UTF-8 or YAML, doesn't fit the model, or has characters that
            can't be printed.
    """
    try:
        found = model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        if not all(map(_can_be_printed, _texts(found.model_dump()))):
            raise ValueError("有不能印出的符号")
        return found
    # PyYAML raises ValueError for an impossible value such as 31 June, and RecursionError for deep
    # nesting.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            code=code,
            file=f"{path.parent.name}/{path.name}",
            found=f"无法读取：{_what_is_wrong(error)}",
            expected=expected,
            action="改正这个文件后重新运行",
        ) from error


def _texts(value: object) -> Iterator[str]:
    """All strings of a settings file, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(_texts, (*value, *value.values())))
    elif isinstance(value, tuple | list):
        yield from chain.from_iterable(map(_texts, value))


def _can_be_printed(text: str) -> bool:
    """Whether a text is free of control characters and surrogates, which YAML escapes can write."""
    return lines(text) == text


def _what_is_wrong(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"不是可用的 UTF-8 YAML（{' '.join(str(error).split())[:200]}）"
    found = []
    for item in error.errors()[:SHOWN]:
        place = ".".join(map(str, item["loc"]))
        own = item.get("ctx", {}).get("error")
        found.append(f"{place or '全文'} {own or CHINESE.get(item['type'], item['msg'])}")
    return "；".join(found)
