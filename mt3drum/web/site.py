"""Write the static site: drum transcription in the browser, without a server.

ONNX graphs are exported from a checkpoint, with tables and settings beside them. The bundled scripts are part
of the package (`browser/bundle/`, made by scripts/build_site.py); npm fetches ONNX Runtime's WebAssembly at
the version and checksum of `package-lock.json`. The review page is that of `mt3drum review`, with its data
kept in the browser.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from mt3drum.decoding import DecodeConfig
from mt3drum.files import write_whole
from mt3drum.model.checkpoint import CheckpointError, load_inference_model
from mt3drum.model.onnx_graph import decoder_graph, encoder_graph
from mt3drum.web import engraver
from mt3drum.web.page import SCRIPTS
from mt3drum.web.rules import MAX_SECONDS, site_rules

CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' data:; media-src blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
GRAPHS = ("encoder.onnx", "decoder.onnx")
BUNDLES = ("worker.js", "index.js", "page.js", "score.js")
_WASM = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
_ENGRAVER = "node_modules/verovio/dist/verovio-module.mjs"


class NoPackages(RuntimeError):
    """npm is missing or could not fetch a package."""


def write_model(checkpoint: Path, folder: Path) -> None:
    """Export the graphs of a checkpoint and the browser's tables; creates the folder.

    Raises:
        CheckpointError: the checkpoint cannot be used, or not in the browser.
        MissingExtra: onnx is not installed.
        OSError: a file cannot be written.
    """
    import torch

    model, header = load_inference_model(checkpoint, dtype=torch.float32)
    try:
        rules = site_rules(model.config, DecodeConfig.from_dict(header["decoding"]))
        encoder = encoder_graph(model)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint}: cannot be used in the browser: {error}") from error
    assert model.decoder is not None
    for name, graph in zip(GRAPHS, (encoder, decoder_graph(model.decoder)), strict=True):
        write_whole(folder / name, graph.SerializeToString())
    write_whole(folder / "rules.json", json.dumps(rules, separators=(",", ":")))


def write_site(checkpoint: Path, folder: Path, packages: Path | None = None) -> int:
    """Write the complete site; creates the folder and keeps its other files.

    Args:
        packages: a folder prepared by `install` (default: a temporary one).

    Returns:
        The number of bytes that a browser downloads.

    Raises:
        NoPackages: ONNX Runtime's WebAssembly cannot be fetched.
        CheckpointError, MissingExtra, OSError: as `write_model`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if packages is None:
            packages = Path(scratch)
            install(packages)
        write_model(checkpoint, folder)
        script, notation = engraver.split((packages / _ENGRAVER).read_text(encoding="utf-8"))
        for name, wasm in (("ort", (packages / _WASM).read_bytes()), ("verovio", notation)):
            write_whole(folder / f"{name}.wasm.gz", gzip.compress(wasm, 9, mtime=0))
    texts = {
        "verovio.js": script,
        "index.html": _asset("browser/index.html").replace("{{csp}}", CSP),
        "review.html": _review(),
        "review.js": _review_script(),
        "review.css": _asset("review.css"),
        "manifest.webmanifest": _asset("browser/manifest.webmanifest"),
        "icon.svg": _asset("browser/icon.svg"),
        "licences.txt": _asset("browser/licences.txt"),
        **{name: _asset(f"browser/bundle/{name}") for name in BUNDLES},
    }
    texts["index.html"] = texts["index.html"].replace("{{minutes}}", f"{MAX_SECONDS / 60:g}")
    for name, text in texts.items():
        write_whole(folder / name, text)
    names = sorted([*texts, *GRAPHS, "rules.json", "ort.wasm.gz", "verovio.wasm.gz"])
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()[:16]
    worker = _asset("browser/src/sw.js").replace("{{version}}", digest)
    write_whole(folder / "sw.js", worker.replace('["{{files}}"]', json.dumps(["./", *names])))
    return sum((folder / name).stat().st_size for name in (*names, "sw.js"))


def install(folder: Path, development: bool = False) -> None:
    """Install the packages of the lock file into `node_modules` of a folder, and copy the sources there.

    Args:
        development: also install the packages that build and check the scripts.

    Raises:
        NoPackages: npm is missing or fails.
    """
    source = Path(str(resources.files("mt3drum") / "web" / "browser"))
    shutil.copytree(source, folder, dirs_exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        raise NoPackages(
            "npm is not installed: the site needs it once, to fetch ONNX Runtime (https://nodejs.org)"
        )
    only = [] if development else ["--omit=dev"]
    command = [npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", *only]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        raise NoPackages(f"npm could not fetch ONNX Runtime: {' '.join(run.stderr.split())[:300]}")


def _review() -> str:
    """The review page's template with style and scripts in files and its data in the browser's storage."""
    text = _asset("review.html")
    parts = {
        r"<style>\{\{style\}\}</style>": '<link rel="stylesheet" href="review.css">\n'
        '<link rel="icon" href="icon.svg" type="image/svg+xml">',
        r'<script type="application/json" id="data">.*?</script>\n': "",
        r'<script type="text/plain" id="audio-data">.*?</script>\n': "",
        r"<script>\{\{script\}\}</script>": '<script src="review.js"></script>\n'
        '<script type="module" src="page.js"></script>',
        r'id="home" href="/"': 'id="home" href="index.html"',
        r"\{\{csp\}\}": CSP,
        r"\{\{title\}\}": "mt3drum",
        r"\{\{length\}\}": "0:00",
    }
    for pattern, replacement in parts.items():
        text, count = re.subn(pattern, replacement.replace("\\", r"\\"), text)
        assert count, pattern
    return text


def _review_script() -> str:
    """The review page's scripts, without the start that reads data from the page."""
    code = "\n".join(_asset(f"{name}.js") for name in SCRIPTS if name != "start")
    start = "const start = (data, url) => (window.app = new App(data, url));"
    public = "window.mt3drumReview = { fillPage, start, LOCAL };"
    return f'(() => {{\n"use strict";\n{code}\n{start}\n{public}\n}})();\n'


def _asset(name: str) -> str:
    return (resources.files("mt3drum") / "web" / name).read_text(encoding="utf-8")
