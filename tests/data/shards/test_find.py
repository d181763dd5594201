"""Which shards a setting names: folders, patterns, commands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from data.example import LoaderConfig
from data.loader import make_loader
from data.shards.find import find_shards
from data.shards.write import make_shards, shard_paths
from tests.data.test_loader import CODEC, PLAIN
from tests.small_runs import BeepShards, bare, curve, one_thread, run_main, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of shards, a and b."""
    folder = tmp_path_factory.mktemp("sets")
    for name, shards in (("a", 3), ("b", 2)):
        make_shards(folder / name, BeepShards(shards=shards, per_shard=1, seconds=1.0))
    return folder


def names(paths: list[str]) -> list[str]:
    return ["/".join(Path(path).parts[-2:]) for path in paths]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", "a0 a1 a2"),
        ("{a,b}", "a0 a1 a2 b0 b1"),
        ("?", "a0 a1 a2 b0 b1"),
        ("b/*.tar", "b0 b1"),
        ("a/train-{000001..000002}.tar", "a1 a2"),
        ("[b]/train-{000000..000001}.tar", "b0 b1"),
    ],
)
def test_folders_braces_and_wildcards(folder: Path, text: str, found: str) -> None:
    shards = find_shards(f"{folder}/{text}")
    assert names(shards.paths) == [f"{item[0]}/train-{int(item[1]):06d}.tar" for item in found.split()]
    manifests = [
        json.loads((folder / name / "manifest.json").read_text()) for name in sorted({*found} & {*"ab"})
    ]
    assert shards.manifest["clips"] == sum(one["clips"] for one in manifests)
    for drum, count in shards.manifest["hits"].items():
        assert count == sum(one["hits"][drum] for one in manifests)


def test_commands_are_run_once_and_by_ranks_in_turn(folder: Path, tmp_path: Path) -> None:
    log, here = shlex.quote(str(tmp_path / "log")), shlex.quote(str(folder / "a"))
    text = f"pipe:echo {{000000..000002}} >> {log}; cat {here}/train-{{000000..000002}}.tar"
    with pytest.raises(ValueError, match="`manifest` must name"):
        find_shards(text)
    assert not (tmp_path / "log").exists()
    text = f"pipe:n={{000000..000002}}; echo $n >> {log}; cat {here}/train-$n.tar"
    second = find_shards(text, str(folder / "a"), tmp_path / "cache", rank=1, world=2)
    first = find_shards(text, str(folder / "a"), tmp_path / "cache", rank=0, world=2)
    assert (tmp_path / "log").read_text().split() == ["000001", "000002", "000000"]
    assert first == second and first.manifest["clips"] == 3
    for path, original in zip(first.paths, shard_paths(folder / "a"), strict=True):
        assert Path(path).read_bytes() == Path(original).read_bytes()


def test_what_cannot_be_used_is_one_line(folder: Path, tmp_path: Path) -> None:
    for text, message in (
        (f"{folder}/c*", "c[*]: nothing matches"),
        (f"{folder}/{{a,c}}", "c/manifest.json: no usable manifest"),
        (f"pipe:cat {folder}/a/train-000000.tar; exit 4", "exited with 4"),
        ("pipe:kill -9 $$", "killed by signal 9"),
    ):
        with pytest.raises(ValueError, match=message):
            find_shards(text, str(folder / "a") if "pipe" in text else "", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_file_can_name_a_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that lists one, a shard that is called one."""
    monkeypatch.chdir(tmp_path)
    manifest = json.loads((folder / "a" / "manifest.json").read_text())
    name = "pipe:touch owned.tar"
    Path("manifest.json").write_text(json.dumps(manifest | {"shards": [{"file": name}]}))
    shards = find_shards(".").paths
    with pytest.raises(ValueError, match="shard missing"):
        next(iter(make_loader(shards, CODEC, LoaderConfig(batch_size=1, augment=PLAIN))))
    Path(name).write_bytes((folder / "a" / "train-000000.tar").read_bytes())
    for text in ("*.tar", "."):
        batch = next(iter(make_loader(find_shards(text).paths, CODEC, LoaderConfig(1, augment=PLAIN))))
        assert batch.keys == ["train-000000-0000"]
    assert not list(tmp_path.glob("owned*"))


def test_training_from_a_command_equals_training_from_the_folder(tmp_path: Path) -> None:
    config = write_run(tmp_path)
    shards = tmp_path / "shards"
    url = f"pipe:cat {shlex.quote(str(shards))}/train-{{000000..000003}}.tar"
    with one_thread():
        assert run_main(bare(config, tmp_path, steps=2), tmp_path / "folder") == 0
        assert run_main(bare(config, tmp_path, steps=2, shards=url), tmp_path / "none") == 1
        piped = bare(config, tmp_path, steps=2, shards=url, manifest=str(shards))
        assert run_main(piped, tmp_path / "piped") == 0
    losses = [curve(tmp_path / name / "losses.jsonl") for name in ("folder", "piped")]
    assert [line["loss/onsets"] for line in losses[1]] == [line["loss/onsets"] for line in losses[0]]
    assert len(list((tmp_path / "piped" / "shards").glob("*.tar"))) == 4
