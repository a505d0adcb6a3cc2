"""Ownership checks: a run claims a home and empties a scratch folder only if this program made it.

The layout of a home doesn't belong here (see `settings`).
"""

import os
import shutil
import stat

from orchestration.common.errors import InputError
from orchestration.common.settings import PROJECT_ROOT, Home

# A folder with any of these is a home: a run creates one of them first, or a restore brings one.
MADE_BY_US = (
    *("hotline.duckdb", "writer.lock", "writer.json", "last-run.json", "dagster/dagster.yaml"),
    *("published/versions", "published/marts.duckdb", "published/bulletin"),
)
FOLDERS = ("lake", "published", "dagster", "dbt", "spark", "scratch", "logs", "audit")
FILES = ("hotline.duckdb", "writer.lock", "writer.json", "last-run.json")
# Marks a scratch folder that this program made, so that it never empties another one.
MARK = ".hotline-scratch"


def claim(home: Home) -> None:
    """Create the home, or check the one that exists.

    Raises:
        InputError: the folder isn't a home, or an entry in it has the wrong kind.
    """
    root = home.root
    if root.exists() and not root.is_dir():
        raise _odd(root.name, "不是文件夹")
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    is_ours = root == PROJECT_ROOT / "warehouse" or any(
        os.path.lexists(root / name) for name in MADE_BY_US
    )
    found = sorted(entry.name for entry in root.iterdir())
    if found and not is_ours:
        raise InputError(
            code="not_a_home",
            found=f"{root} 里有不属于数据目录的内容，例如 {found[0]}",
            expected="空的或还没有的文件夹，或以前运行过的数据目录",
            action="用 --home 换一个文件夹",
        )
    for names, fits in ((FOLDERS, stat.S_ISDIR), (FILES, stat.S_ISREG)):
        for name in names:
            if not os.path.lexists(root / name):
                continue
            try:
                mode = (root / name).stat().st_mode
            except PermissionError:
                raise
            except OSError as error:
                raise _odd(name, "是一个断开的链接") from error
            if not fits(mode):
                raise _odd(name, "不是文件夹" if names is FOLDERS else "不是普通文件")
    home.lock.touch(mode=0o600)


def empty_scratch(home: Home) -> None:
    """Create an empty scratch folder, deleting the previous one.

    Raises:
        InputError: it isn't a folder, or is a non-empty one that this program didn't make.
    """
    remove_scratch(home)
    home.scratch.mkdir(parents=True)
    (home.scratch / MARK).touch()


def remove_scratch(home: Home) -> None:
    """Delete the scratch folder, if there is one.

    Raises:
        InputError: it isn't a folder, or is a non-empty one that this program didn't make.
    """
    scratch = home.scratch
    if not os.path.lexists(scratch):
        return
    is_folder = scratch.is_dir() and not scratch.is_symlink()
    if not is_folder or (any(scratch.iterdir()) and not (scratch / MARK).is_file()):
        raise InputError(
            code="foreign_scratch",
            file="scratch",
            found=f"{scratch} 不是本程序建的临时文件夹，没有动它",
            expected="数据目录里的 scratch 由本程序建立和清空，不放别的东西",
            action="把它移到别处，或用 --home 换一个数据目录，然后重新运行",
        )
    shutil.rmtree(scratch)


def _odd(name: str, found: str) -> InputError:
    return InputError(
        code="bad_home",
        file=name,
        found=f"数据目录里的 {name} {found}",
        expected="运行时写下的文件和文件夹，或什么都没有",
        action="把它移开，或用 --home 换一个数据目录，然后重新运行",
    )
