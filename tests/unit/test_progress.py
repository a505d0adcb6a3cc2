"""What is said while a long file is being read."""

from conftest import EXPORTS

from orchestration.common import progress
from orchestration.common.quarters import Quarter
from orchestration.common.settings import Home
from orchestration.ingest.lake import ingest_source
from orchestration.reading import encodings, row_ends, text
from orchestration.reading.contracts import load_contracts


def listened(tmp_path):
    """What a listener was told while the sample's tickets were read: (share, rows, words)."""
    told = []
    contracts = load_contracts(EXPORTS / "contracts")
    with progress.listening(lambda r: told.append((r.share, r.row_count, str(r)))):
        ingest_source(Home(tmp_path / "home"), EXPORTS, Quarter(2022, 2), contracts, "ticket")
    return told


def test_a_long_file_is_told_of_step_by_step_and_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "QUIET", -1)
    for module in (encodings, text):
        monkeypatch.setattr(module, "CHUNK", 1 << 16)
    for module in (encodings, row_ends):
        monkeypatch.setattr(module, "SCANNED", 1 << 14)
    told = listened(tmp_path)
    shares, rows = [share for share, *_ in told], [count for _, count, _ in told]
    assert shares == sorted(shares) and rows == sorted(rows)
    assert 0 < shares[0] < 1 and shares[-1] == 1
    contents = (EXPORTS / "2022Q2" / "ticket.csv").read_text(encoding="utf-8-sig")
    assert rows[-1] == contents.count("\n") - 1
    for words in ("ticket.csv", f"{rows[-1]:,} 行", "MB/s", "剩余约 0 秒"):
        assert words in told[-1][2]


def test_nothing_is_said_of_a_short_file(tmp_path):
    assert listened(tmp_path) == []
