"""A real standalone Spark cluster on loopback: one master, two workers, processes of their own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = PROJECT / ".venv-spark"
HOST = "127.0.0.1"
SETTINGS = {
    "spark.driver.host": HOST,
    "spark.driver.memory": "2g",
    # Much is compiled that runs once: the quick compiler does, and no code is made for each query.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.executor.memory": "1g",
    "spark.log.level": "FATAL",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class Cluster:
    """Started by `running_cluster`; `environment` lets a command run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        self.processes: list[subprocess.Popen[bytes]] = []
        lines = [f"{name} {value}" for name, value in SETTINGS.items()]
        (folder / "spark-defaults.conf").write_text("\n".join(lines))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command whose engine is this cluster."""
        return os.environ | {
            "HOTLINE_ENGINE": "spark",
            "HOTLINE_SPARK_MASTER": f"spark://{HOST}:{self.port}",
            "SPARK_CONF_DIR": str(self.folder),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
        }

    def start(self, role: str, *arguments: str) -> None:
        (jars,) = ENVIRONMENT.glob("lib/python3*/site-packages/pyspark")
        log = (self.folder / f"{role}-{len(self.processes)}.log").open("wb")
        self.processes.append(
            subprocess.Popen(
                [
                    jars / "bin" / "spark-class",
                    f"org.apache.spark.deploy.{role.lower()}.{role}",
                    *("--host", HOST, "--webui-port", "0"),
                    *arguments,
                ],
                env=self.environment | {"SPARK_HOME": str(jars), "SPARK_DAEMON_MEMORY": "256m"},
                stdout=log,
                stderr=log,
            )
        )

    def kill_worker(self) -> None:
        """SIGKILL a worker and, as when its machine goes, what it runs."""
        worker = self.processes[-1]
        threads = Path(f"/proc/{worker.pid}/task").glob("*/children")
        executors = [pid for children in threads for pid in children.read_text().split()]
        worker.kill()
        for pid in executors:
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        worker.wait()


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster for the block."""
    cluster = Cluster(folder)
    try:
        cluster.start("Master", "--port", str(cluster.port))
        _wait_for_log(folder / "Master-0.log", "I have been elected leader")
        for number in (1, 2):
            place = f"spark://{HOST}:{cluster.port}"
            work = str(folder / f"work-{number}")
            cluster.start("Worker", "--cores", "1", "--memory", "1g", "--work-dir", work, place)
            _wait_for_log(folder / f"Worker-{number}.log", "Successfully registered with master")
        yield cluster
    finally:
        for process in cluster.processes:
            process.terminate()
        for process in cluster.processes:
            process.wait(30)


def _wait_for_log(path: Path, sign: str) -> None:
    deadline = time.monotonic() + 120
    while sign not in path.read_text(errors="replace"):
        assert time.monotonic() < deadline, path.read_text(errors="replace")[-3000:]
        time.sleep(0.5)
