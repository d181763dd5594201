"""The notebooks run from their first cell to their last, on recordings and clips that they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.shards.write import read_manifest
from mt3drum.formats.read_json import read_json
from tests import ROOT
from tokenizer.drums import DRUMS

nbclient = pytest.importorskip("nbclient", reason="install mt3drum[dev]")
nbformat = pytest.importorskip("nbformat", reason="install mt3drum[dev]")
NOTEBOOK = ROOT / "docs" / "transcribe.ipynb"
DATA = ROOT / "docs" / "data.ipynb"
PATIENCE = 600  # seconds a cell: machines that run tests are shared


@pytest.mark.filterwarnings("ignore")
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        book, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "song.mid",
        "song.json",
        "song.csv",
        "song.chart.zip",
        "song.mt3drum.wav",
        "song.musicxml",
        "song.tab.txt",
        "tight.mid",
        "song.html",
    }
    result, beats = read_json(out / "song.json")
    assert {"kick", "snare", "hihat"} <= {DRUMS[hit.drum].family for hit in result.hits}
    assert beats is not None and beats.bpm == pytest.approx(120, rel=0.02)
    images = [o for cell in book.cells for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert len(images) >= 2


@pytest.mark.filterwarnings("ignore")
def test_the_one_on_data_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    book = nbformat.read(DATA, as_version=4)
    nbclient.NotebookClient(
        book, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    text = "".join(o.get("text", "") for cell in book.cells for o in cell.get("outputs", ()))
    hits = read_manifest(tmp_path / "shards")["hits"]
    assert f"{sum(hits.values())} hits" in text and "could join:" in text
    images = [o for cell in book.cells for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert len(images) == 4


@pytest.mark.parametrize("notebook", [NOTEBOOK, DATA], ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(code) >= 8
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
