"""What a hostile file could try: run code, leave its folder, read other files, take all memory."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import re
import stat
import sys
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from data.augment import AugmentConfig
from data.example import LoaderConfig
from data.loader import make_loader
from mt3drum.audio.recording import AudioError, open_file
from mt3drum.config import PRESETS, ModelConfig
from mt3drum.model.checkpoint import CheckpointError, load_model, read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from tests import ROOT
from tokenizer.codec import Codec

PACKAGES = ("tokenizer", "mt3drum", "data", "eval", "train", "scripts")
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "torch.load",
    "torch.hub.load",
    "pickle.load",
    "pickle.loads",
    "tempfile.mktemp",
    "__import__",
    # These run what a name that begins with pipe: says.
    "webdataset.WebDataset",
    "webdataset.gopen",
    "webdataset.gopen.gopen",
}
SHELLS = {"bash", "/bin/sh", "/bin/bash", "-c"}
FORBIDDEN_METHODS = {"extractall", "extract"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def wrong_in(source: str, where: str) -> list[str]:
    """What a source file does that none of ours may."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = f"{where}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS or (name.rpartition(".")[2] in FORBIDDEN_METHODS and "." in name):
                found.append(f"{line} calls {name}")
            for keyword in node.keywords:
                if (keyword.arg, ast.unparse(keyword.value)) in {("shell", "True"), ("allow_pickle", "True")}:
                    found.append(f"{line} {keyword.arg}=True")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in SHELLS:
            found.append(f"{line} names a shell")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{line} imports {m}" for m in modules if m.split(".")[0] in FORBIDDEN_MODULES]
    return found


def test_nothing_runs_what_it_reads() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 50
    wrong = []
    for path in sources:
        wrong += wrong_in(path.read_text("utf-8"), str(path.relative_to(ROOT)))
    # `pipe:` commands, from whoever types them; test_tars.py and test_shard_list.py try everything else.
    # And a command that prints a script for a shell and runs none.
    files = [re.fullmatch(r"(\S+):\d+ names a shell", found) for found in wrong]
    assert sorted(found[1] if found else "" for found in files) == [
        "mt3drum/batch/pipes.py",
        "mt3drum/batch/pipes.py",
        "mt3drum/cli/completion.py",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "torch.load('x')",
        "eval('1')",
        "os.system('ls')",
        "yaml.load(x)",
        "subprocess.run('ls', shell=True)",
        "numpy.load(x, allow_pickle=True)",
        "tar.extractall()",
        "subprocess.run(['sh', '-c', x])",
        "webdataset.WebDataset(x)",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert len(wrong_in(source, "x")) == 1
    assert wrong_in("model.eval()\nyaml.safe_load(x)\nre.compile(x)\nsubprocess.run(['ls'])", "x") == []


class Exploit:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_disguised_as_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Exploit(tmp_path / "owned")))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        load_model(path)
    torch.save({"weights": Exploit(tmp_path / "owned")}, path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        load_model(path)
    assert not (tmp_path / "owned").exists()


def checkpoint(path: Path, config: ModelConfig) -> Path:
    """The weights of `tiny` under a header that says something else."""
    save_checkpoint(path, config, DrumModel(PRESETS["tiny"]).state_dict(), {}, {})
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"width": 4096, "head_width": 64},
        {"encoder_layers": 64},
        {"stem_channels": 4096},
        {"feed_forward": 64},
    ],
    ids=str,
)
def test_a_small_checkpoint_cannot_ask_for_a_large_model(tmp_path: Path, change: dict[str, Any]) -> None:
    path = checkpoint(tmp_path / "a.safetensors", replace(PRESETS["tiny"], **change))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: the weights do not fit the configuration"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("config", "[" * 100_000, "damaged header"),
        ("decoding", "[]", "damaged header"),
        ("decoding", '{"beam": 1.5}', "whole number"),
        ("decoding", '{"shell": 1}', "unknown decoding settings"),
        ("training", "3", "damaged header"),
        ("fingerprint", "x", "made for vocabulary"),
    ],
)
def test_a_hostile_header_is_one_line(tmp_path: Path, name: str, value: str, message: str) -> None:
    path = checkpoint(tmp_path / "a.safetensors", PRESETS["tiny"])
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"][name] = value
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(CheckpointError, match=message) as caught:
        read_header(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_members_of_a_shard_stay_inside_it(tmp_path: Path) -> None:
    """Names that climb out, links and devices: nothing is written, nothing outside is read."""
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    folder = tmp_path / "shards"
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for name in ("../escaped.flac", str(tmp_path / "absolute.flac"), "a/../../b.flac"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"fLaC"))
        for kind, link in (
            (tarfile.SYMTYPE, "../secret.json"),
            (tarfile.LNKTYPE, str(secret)),
            (tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo("c.json")
            info.type, info.linkname = kind, link
            tar.addfile(info)
    before = Counter(tmp_path.rglob("*"))
    loader = make_loader(
        [str(folder / "a.tar")], Codec(), LoaderConfig(batch_size=1, augment=AugmentConfig.none(), buffer=1)
    )
    with pytest.raises(ValueError, match=r"no usable sample.*json missing.*a\.tar"):
        next(iter(loader))
    assert Counter(tmp_path.rglob("*")) == before


FAKE = """#!{python}
import sys
open(sys.argv[0] + ".log", "w").write("\\n".join(sys.argv[1:]))
print('{{"streams": [{{"index": 0, "codec_type": "audio", "codec_name": "aac"}}], "format": {{}}}}')
"""


def test_ffmpeg_is_called_without_a_shell_for_one_local_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is a name, whatever it looks like; playlists, which name other files, are no format."""
    (tmp_path / "bin").mkdir()
    for name in ("ffmpeg", "ffprobe"):
        program = tmp_path / "bin" / name
        program.write_text(FAKE.format(python=sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    name = "-i http:;touch owned;$(touch owned).m3u8"
    Path(name).write_text("\n#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(AudioError, match="no audio in it|neither libsndfile nor ffmpeg"):
        open_file(Path(name))
    for called in ("ffmpeg", "ffprobe"):
        check_arguments((tmp_path / "bin" / f"{called}.log").read_text().split("\n"), tmp_path / name)
    assert not (tmp_path / "owned").exists()


def check_arguments(arguments: list[str], path: Path) -> None:
    assert arguments[arguments.index("-i") + 1] == f"file:{path}"
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"
    formats = arguments[arguments.index("-format_whitelist") + 1].split(",")
    assert {"mov", "matroska", "asf"} <= set(formats)
    assert not {
        "hls",
        "concat",
        "concatf",
        "dash",
        "applehttp",
        "lavfi",
        "image2",
        "tty",
        "sdp",
        "rtsp",
    } & set(formats)
    # What is whitelisted is for the input, so it stands before it.
    assert arguments.index("-format_whitelist") < arguments.index("-i")
