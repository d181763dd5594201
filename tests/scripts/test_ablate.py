"""The plan of ablations can be read by the trainer, and its table says what was measured."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from mt3drum.decoding import DecodeConfig
from tests import ROOT
from train.config import load_config

PLAN = yaml.safe_load((ROOT / "train" / "configs" / "ablations.yaml").read_text())


def script() -> Any:
    spec = importlib.util.spec_from_file_location("ablate", ROOT / "scripts" / "ablate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result(drums: float, mix: float) -> dict[str, Any]:
    return {
        "drum_only_50": drums,
        "drum_only_20": drums,
        "pseudo_mix_50": mix,
        "pseudo_mix_20": mix,
        "classes": dict.fromkeys(("KD", "SD", "TT", "HH", "CY"), drums),
        "rendered_26": 0.5,
        "rendered_5": 0.6,
    }


@pytest.mark.parametrize("name", PLAN["runs"])
def test_every_entry_is_one_change_that_the_code_takes(name: str, tmp_path: Path) -> None:
    entry = PLAN["runs"][name]
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({**PLAN["base"], **entry.get("set", {})}))
    config = load_config(settings, {})
    base = tmp_path / "base.yaml"
    base.write_text(yaml.safe_dump(PLAN["base"]))
    changed = [key for key, value in vars(load_config(base, {})).items() if getattr(config, key) != value]
    assert len(changed) == len(entry.get("set", {})), "a setting that is the default changes nothing"
    assert DecodeConfig(**entry.get("decode", {}))
    of = entry.get("of", name)
    assert set(of if isinstance(of, list) else [of]) <= {*PLAN["runs"], "bundled"}


def test_the_table_gives_differences_and_the_spread_of_seeds() -> None:
    results = {
        "base": result(0.7, 0.6),
        "base, seed 1": result(0.72, 0.61),
        "family term off": result(0.65, 0.63),
        "SpecAugment off": result(0.70, 0.62),
    }
    text = script().table(results, PLAN["runs"], PLAN["base"])
    assert "drums only spans 0.020 and pseudo mixes 0.010" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| family term off")]
    assert "| 0.650 | -0.060 |" in row and "| 0.630 | +0.025 |" in row, "against the mean of the seeds"
    assert row.endswith("| worse |"), "0.640, and the seeds have 0.650 and 0.665"
    (row,) = [line for line in text.splitlines() if line.startswith("| SpecAugment off")]
    assert row.endswith("| no difference seen |")
    assert "one window" not in text, "not measured: no row"
