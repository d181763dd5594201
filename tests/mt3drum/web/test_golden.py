"""The browser's code against Python's: the same tokens and hits. Under node, as the page's worker runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt3drum import transcriber as module
from mt3drum.model.checkpoint import bundled
from mt3drum.transcriber import Transcriber, Transcription
from mt3drum.web.site import NoPackages
from scripts import build_site
from tests.synthetic import recording

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None or shutil.which("npm") is None, reason="no node and npm on this machine (nodejs.org)"
)
LENGTHS = [2.9] * 8 + [6.5] * 2  # seconds: one segment, and three
PROGRAM = Path(__file__).with_name("transcribe_files.js")


def fetched() -> Path:
    try:
        return build_site.ready()
    except NoPackages as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def packages() -> Path:
    """Sources and packages; fetched by npm once a checkout."""
    return fetched()


def test_the_bundle_is_built_from_the_sources(packages: Path, tmp_path: Path) -> None:
    """Types are checked on the way. After a change of a source: python scripts/build_site.py."""
    build_site.build(packages, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in build_site.BUNDLE.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (build_site.BUNDLE / path.name).read_bytes(), path.name


def sounds() -> dict[str, np.ndarray]:
    """[samples channels] by name: grooves, quiet and loud; channels that differ, that cancel; silence."""
    made = {str(seed): recording(seed, seconds)[:, None] for seed, seconds in enumerate(LENGTHS)}
    made["stereo"] = np.stack([recording(11, 2.9), recording(12, 2.9)], axis=1)
    made["opposite"] = np.stack([recording(13, 2.9), -0.98 * recording(13, 2.9)], axis=1)
    made["silent"] = np.zeros((22_050, 1), dtype=np.float32)
    return made


@pytest.fixture(scope="module")
def by_python() -> Iterator[dict[str, tuple[Transcription, list[list[int]]]]]:
    """Hits and token ids of every recording."""
    transcriber = Transcriber.load(device="cpu", precision="float32")
    tokens: list[list[int]] = []
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        original = module.generate

        def generate(*args: Any) -> Any:
            hypotheses = original(*args)
            tokens.extend(list(hypothesis.tokens) for hypothesis in hypotheses)
            return hypotheses

        patch.setattr(module, "generate", generate)
        for name, audio in sounds().items():
            tokens.clear()
            found[name] = transcriber.transcribe_array(audio), list(tokens)
    yield found


@pytest.fixture(scope="module")
def by_browser(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from mt3drum.web.site import write_model

    folder = tmp_path_factory.mktemp("golden")
    write_model(bundled(), folder / "model")
    files = {}
    for name, audio in sounds().items():
        files[name] = folder / f"{name}.{audio.shape[1]}.f32"
        audio.T.astype("<f4").tofile(files[name])
    program = packages / "src" / PROGRAM.name
    shutil.copy(PROGRAM, program)
    try:
        command = [NODE or "node", program, folder / "model", folder / "found.json", *files.values()]
        subprocess.run(list(map(str, command)), check=True, cwd=packages, timeout=280)
    finally:
        program.unlink()
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return dict(zip(files, found, strict=True))


@pytest.mark.parametrize("name", sounds())
def test_tokens_and_hits_are_pythons(name: str, by_python: Any, by_browser: Any) -> None:
    result, tokens = by_python[name]
    found = by_browser[name]
    assert found["tokens"] == tokens
    for ours, theirs in ((found["hits"], result.hits), (found["candidates"], result.candidates)):
        assert [hit["drum"] for hit in ours] == [hit.drum for hit in theirs]
        for field, most in (("time", 0.001), ("velocity", 1), ("confidence", 1e-4)):
            np.testing.assert_allclose(
                [hit[field] for hit in ours], [getattr(hit, field) for hit in theirs], rtol=0, atol=most
            )
    assert len(result.hits) > 10 or name == "silent"
    assert len(found["warnings"]) == len(result.warnings) == (name == "opposite")
