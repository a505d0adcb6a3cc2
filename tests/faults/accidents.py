"""What else befalls a run: full disks, permissions, clocks, files that change, damaged stores."""

import ctypes
import datetime as datetime_module
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from trial import QUARTER, Hook, Trial, hotline

DISK_BYTES = 96 << 20
FULL = ("disk_full", "disk_fault")  # SQLite can't always tell one from the other


def at(step: str, act: Callable[[], None]) -> Hook:
    """A hook that acts when a step starts."""
    return lambda started: act() if started == step else None


def full_disk(trial: Trial, step: str, left: int) -> None:
    """Only `left` bytes are free from a step on, on a small file system; then there is room."""
    disk = trial.home.parent
    aside = disk.with_name("aside")
    disk.rename(aside)
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    shutil.copytree(aside, disk, symlinks=True, dirs_exist_ok=True)
    filler = disk / "filler"

    def fill() -> None:
        free = shutil.disk_usage(disk).free - left
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free, 1))

    try:
        trial.judge_if_stopped(trial.start(at(step, fill)), *FULL)
        trial.look()
        filler.unlink(missing_ok=True)
        trial.rerun()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def may_mount() -> bool:
    """Whether a small file system can be mounted here (as root, outside of a tight container)."""
    if os.geteuid() != 0:
        return False
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False)
    return done.returncode == 0


def short_files(trial: Trial, longest: int) -> None:
    """No file may grow beyond some bytes, as a quota does: needs no root."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))

    trial.judge_if_stopped(trial.start(at("start", limit)), *FULL)


def no_permission(trial: Trial, folder: str) -> None:
    """A folder of the home can't be written to."""
    place = trial.home / folder
    place.mkdir(parents=True, exist_ok=True)
    mode = place.stat().st_mode
    place.chmod(0o500)
    trial.judge_if_stopped(trial.start(at("start", obey_permissions)), "no_permission")
    place.chmod(mode)


def obey_permissions() -> None:
    """Take from root, in this process, what lets it write anywhere (CAP_DAC_OVERRIDE)."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    sets[0] &= ~(1 << 1)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def clock_set_back(trial: Trial, days: int) -> None:
    """The project's clock and `time.time` are behind those of the runs before."""

    def set_back() -> None:
        real, now = datetime_module.datetime, time.time
        behind = datetime_module.timedelta(days=days)

        class Late(real):
            @classmethod
            def now(cls, tz=None):
                return real.now(tz) - behind

        time.time = lambda: now() - behind.total_seconds()
        for name, module in list(sys.modules.items()):
            if name.startswith("orchestration") and getattr(module, "datetime", None) is real:
                module.datetime = Late

    trial.judge(trial.start(at("start", set_back)))
    trial.compare()  # the last run is the one that came last, whatever its clock said


def replaced_while_read(trial: Trial) -> None:
    """Another ticket export takes the place of the one that is being read."""
    own = own_exports(trial)

    def replace() -> None:
        from orchestration.common import progress

        reading = progress.reading

        def and_replace(name: str, size: int):
            if name == "ticket.csv":
                other = own / QUARTER / "other.tmp"
                other.write_bytes((own / QUARTER / name).read_bytes()[: size // 2])
                other.replace(own / QUARTER / name)
            return reading(name, size)

        progress.reading = and_replace

    trial.judge(trial.start(at("start", replace)), "file_changed")


def folder_goes(trial: Trial, step: str) -> None:
    """The folder of exports goes away when a step starts."""
    own = own_exports(trial)
    trial.judge(trial.start(at(step, lambda: shutil.rmtree(own / QUARTER))), "missing_quarter")


def own_exports(trial: Trial) -> Path:
    own = Path(shutil.copytree(trial.exports, trial.home.parents[1] / "exports"))
    for path in (own / QUARTER).iterdir():  # they have arrived long ago
        os.utime(path, (1_600_000_000, 1_600_000_000))
    trial.exports = own
    return own


def no_memory(trial: Trial, step: str, more: int) -> None:
    """From a step on the process gets only some bytes of memory more."""

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    trial.judge_if_stopped(trial.start(at(step, limit)), "out_of_memory")


def overwrite(path: Path) -> None:
    """Bytes in the middle of a file are others, its length is the same."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    for place in range(middle, min(middle + 4096, len(data))):
        data[place] ^= 0xFF
    path.write_bytes(data)


def damaged(trial: Trial, pattern: str, harm: Callable[[Path], None], says: str) -> None:
    """A file of the home is damaged; the next run mends it by itself and may say so."""
    for path in list(trial.home.glob(pattern)):
        harm(path)
    ran = trial.start()
    trial.judge(ran)
    if ran.status != 0 or says not in ran.said:
        trial.fault.untold.append(f"{says} isn't in: {ran.said[-1500:]}")


def damaged_and_verified(trial: Trial, pattern: str, harm: Callable[[Path], None]) -> None:
    """A published file is damaged: `hotline verify` finds it, and the next run publishes it."""
    (path,) = trial.home.glob(pattern)
    harm(path)
    arguments = {"home": trial.home, "exports": trial.exports}
    found = hotline("verify", QUARTER, **arguments)
    if found.status != 1 or "Traceback" in found.said:
        trial.fault.untold.append(f"verify {found.status}: {found.said[-1000:]}")
    trial.judge(trial.start())
    mended = hotline("verify", QUARTER, **arguments)
    if mended.status != 0:
        trial.fault.failed_reruns.append(f"verify {mended.status}: {mended.said[-1000:]}")


def damaged_and_told(trial: Trial, pattern: str, code: str) -> None:
    """A file is damaged that the run won't mend by itself; whoever does what it says is right."""
    (path,) = trial.home.glob(pattern)
    sound = path.read_bytes()
    path.write_bytes(b"\0" * 20_000)
    trial.judge(trial.start(), code)
    if path.suffix == ".duckdb":
        path.rename(path.with_name("aside.duckdb"))
    else:
        path.write_bytes(sound)


def all_accidents() -> list[tuple[str, str, str, Callable[[Trial], None]]]:
    """(base, kind, which, strike) of every accident that can be had on this machine."""
    found: list[tuple[str, str, str, Callable[[Trial], None]]] = []

    def add(base: str, kind: str, which: str, strike: Callable[..., None], *rest: object) -> None:
        found.append((base, kind, which, lambda trial: strike(trial, *rest)))

    if may_mount():
        for step, left in (
            *(("start", 0), ("raw__ticket", 0), ("raw_scope", 64 << 10), ("dbt", 0)),
            *(("dbt", 1 << 20), ("dbt", 4 << 20), ("reconciliation_gate", 0)),
            *(("published__marts", 0), ("published__marts", 512 << 10)),
            *(("published__marts", 3 << 20), ("published__marts", 6 << 20)),
            *(("published__bulletin", 16 << 10), ("published__site", 64 << 10)),
            ("published__audit_report", 512 << 10),
        ):
            add("correction", "磁盘写满", f"{step} {left}", full_disk, step, left)
    for longest in (1 << 10, 64 << 10, 300 << 10, 1 << 20, 3 << 20):
        base = "first" if longest < 100 << 10 else "correction"
        add(base, "文件超过配额", f"{longest}", short_files, longest)
    for folder in (
        *(".", "lake/ticket", "lake/index/2022Q2", "dagster/history", "dbt/target"),
        *("published", "published/versions/2022Q2", "published/bulletin/2022Q2"),
        "published/audit/2022Q2",
    ):
        add("correction", "没有写权限", folder, no_permission, folder)
    add("correction", "时钟拨回", "3 天", clock_set_back, 3)
    add("first", "读取时文件被替换", "ticket.csv", replaced_while_read)
    add("first", "来源文件夹消失", "raw__ticket", folder_goes, "raw__ticket")
    add("correction", "来源文件夹消失", "dbt", folder_goes, "dbt")
    for step, more in (("raw__ticket", 8 << 20), ("dbt", 64 << 20), ("published__marts", 8 << 20)):
        add("correction", "内存不够", f"{step} {more}", no_memory, step, more)
    for name in ("runs.db", "runs/index.db"):
        pattern = f"dagster/history/{name}"
        add("correction", "Dagster 存储损坏", name, damaged, pattern, overwrite_start, "存储已损坏")
    add("correction", "Dagster 存储被删", "dagster/", damaged, "dagster", shutil.rmtree, "")
    for name, harm in (("改动", overwrite), ("删除", Path.unlink)):
        pattern = "lake/mailbox/*.parquet"
        add("correction", "原始湖文件损坏", name, damaged, pattern, harm, "由导出文件重新生成")
    table = "published/versions/2022Q2/v2/hotline_unit_quarter.parquet"
    add("again", "发布的文件损坏", "Parquet", damaged_and_verified, table, overwrite)
    database = "published/marts.duckdb"
    add("again", "发布的文件损坏", "marts.duckdb", damaged_and_verified, database, overwrite_start)
    add("again", "发布的文件被删", "marts.duckdb", damaged_and_verified, database, Path.unlink)
    for what, harm in (("被删", Path.unlink), ("刚建就断", torso)):
        add("correction", f"工作库{what}", "hotline.duckdb", damaged, "hotline.duckdb", harm, "")
    for pattern, code in (
        ("hotline.duckdb", "damaged_database"),
        ("published/versions/2022Q2/v1/manifest.json", "damaged_manifest"),
        ("lake/index/2022Q2/ticket.json", "damaged_index"),
    ):
        add("correction", "文件损坏，须人处理", pattern, damaged_and_told, pattern, code)
    add("correction", "占用记录写坏", "writer.json", half_written_note)
    return found


def torso(path: Path) -> None:
    """The file is as long as it was when a quota ended the run that had just begun to make it."""
    path.write_bytes(path.read_bytes()[:1024])


def overwrite_start(path: Path) -> None:
    """A file's first bytes, by which it is known, are others."""
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)


def half_written_note(trial: Trial) -> None:
    """A power cut left an empty note of who holds the home."""
    (trial.home / "writer.json").write_text("")
    trial.judge(trial.start())
