"""Which code is running: its version, its commit, the lock file of what it was installed with."""

import hashlib
import subprocess
from functools import cache

from orchestration import __version__
from orchestration.common.files import sha256_of
from orchestration.common.settings import PROJECT_ROOT, program_files


@cache
def code_version() -> str:
    """The version and the commit, such as `0.1.0+g1a2b3c4d5e6f`, `.dirty` if edited.

    The version alone where the project is no clone (an archive) or git isn't installed.
    """
    if not (PROJECT_ROOT / ".git").exists():
        return __version__
    # Fixed words only; the project's own folder is the one that is asked about.
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
    """One hash over code, models, suites and templates, as they were when this process began."""
    files = [f"{path}:{sha256_of(path)}" for path in sorted(program_files())]
    return hashlib.sha256("\n".join(files).encode()).hexdigest()


def lock_sha256() -> str:
    """The SHA-256 of the run-time lock file; empty where it isn't there."""
    lock = PROJECT_ROOT / "requirements.lock"
    return sha256_of(lock) if lock.is_file() else ""
