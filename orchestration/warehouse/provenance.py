"""The identity of the running code: version, commit, hash of its files, lock file."""

import hashlib
import subprocess
from functools import cache

from orchestration import __version__
from orchestration.common.files import sha256_of
from orchestration.common.settings import PROJECT_ROOT, program_files


@cache
def code_version() -> str:
    """The version and the commit, such as `0.1.0+g1a2b3c4d5e6f`, with `.dirty` if files changed.

    It is the version alone if the project isn't a git clone or git isn't installed.
    """
    if not (PROJECT_ROOT / ".git").exists():
        return __version__
    # All arguments are fixed, apart from the path of the project's own folder.
    command = ["git", "-C", str(PROJECT_ROOT), "describe", "--always", "--abbrev=12", "--dirty"]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, "--match="], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+g{done.stdout.strip().replace('-dirty', '.dirty')}"


@cache
def program_sha256() -> str:
    """One hash over code, models, suites and templates, computed once per process."""
    files = [f"{path}:{sha256_of(path)}" for path in sorted(program_files())]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def lock_sha256() -> str:
    """The SHA-256 of the run-time lock file; empty if there is none."""
    lock = PROJECT_ROOT / "requirements.lock"
    return sha256_of(lock) if lock.is_file() else ""
