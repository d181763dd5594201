"""Fewer labels than classes: sums by enumeration, and what is written."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mt3drum.decode.beam_search import generate
from mt3drum.decode.labels import LabelSums
from mt3drum.decoding import DECODED_SCHEMES, DecodeConfig
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.read_json import read_json
from mt3drum.formats.write import write
from mt3drum.result import Transcription
from mt3drum.transcriber import Transcriber
from tests.mt3drum.decode.test_beam_search import INFERENCE, random_states
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES, SCHEMES
from tokenizer.hits import Hit

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", DECODED_SCHEMES)
def test_labels_are_runs_of_classes(name: str) -> None:
    """Otherwise the drums of a time would not rise."""
    for label, first in enumerate(SCHEMES[name].first_class):
        members = [drum for drum, of in enumerate(SCHEMES[name].of_class) if of == label]
        assert members == list(range(first, first + len(members)))


def test_a_label_of_the_head_is_any_of_its_classes() -> None:
    """By enumeration of all outcomes of the five classes of the hi-hat."""
    config, encoded = DecodeConfig(scheme="8"), random_states(0, 1, 2.0, -1.0)
    merged = LabelSums(config, CPU).merged_head(encoded, config.onset_bias)
    p = torch.sigmoid(encoded.onset_logits[0, 7] + config.onset_bias).double().numpy()
    hats = [CLASS_INDEX[name] for name in CLASS_INDEX if name.startswith("hihat")]
    any_of = sum(
        np.prod([p[c] if on else 1 - p[c] for c, on in zip(hats, outcome, strict=True)])
        for outcome in itertools.product([False, True], repeat=len(hats))
        if any(outcome)
    )
    heard = torch.sigmoid(merged.onset_logits[0, 7] + config.onset_bias)
    assert float(heard[hats[0]]) == pytest.approx(any_of, abs=1e-6)
    assert heard[hats[1:]].max() < 1e-9, "the others are no labels"
    loud = torch.sigmoid(encoded.velocity[0, 7]).double().numpy()
    expected = (p[hats] * loud[hats]).sum() / p[hats].sum()
    assert float(torch.sigmoid(merged.velocity[0, 7, hats[0]])) == pytest.approx(expected, abs=1e-5)


def test_a_label_of_the_decoder_is_the_sum_of_its_classes() -> None:
    log_probs = torch.log_softmax(torch.randn(2, 3, NUM_CLASSES), dim=-1)
    merged = LabelSums(DecodeConfig(scheme="5"), CPU).merged_drums(log_probs).exp()
    toms = [CLASS_INDEX[name] for name in CLASS_INDEX if "tom" in name]
    torch.testing.assert_close(merged[..., toms[0]], log_probs[..., toms].exp().sum(-1))
    assert merged[..., toms[1:]].max() == 0 and merged[..., CLASS_INDEX["aux1"]].max() == 0
    only = (
        LabelSums(DecodeConfig(scheme="5", classes=frozenset(toms[2:4])), CPU).merged_drums(log_probs).exp()
    )
    torch.testing.assert_close(only.sum(-1), log_probs[..., toms[2:4]].exp().sum(-1))


def test_two_halves_of_a_drum_are_one_hit() -> None:
    """Two toms of a probability of 0.4 each: neither is written, any of them is."""
    encoded = random_states(0, 1, 0.0, -12.0)
    logits = encoded.onset_logits.clone()
    logits[0, 20, [CLASS_INDEX["tom2_head"], CLASS_INDEX["tom3_head"]]] = float(np.log(0.4 / 0.6))
    encoded = encoded._replace(onset_logits=logits)
    config = DecodeConfig(onset_weight=1.0, onset_bias=0.0)
    assert not generate(INFERENCE[0, 0.1], encoded, config)[0].hits
    (hit,) = generate(INFERENCE[0, 0.1], encoded, replace(config, scheme="8"))[0].hits
    assert hit.drum == CLASS_INDEX["tom1_head"]
    assert hit.confidence == pytest.approx(1 - 0.6**2, abs=1e-4)


def test_a_scheme_without_a_label_for_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme 5 has no label"):
        DecodeConfig(scheme="5", classes=frozenset({CLASS_INDEX["aux1"]}))
    with pytest.raises(ValueError, match="scheme '12' is not one of"):
        DecodeConfig(scheme="12")


def test_files_name_labels_and_are_read_again(tmp_path: Path) -> None:
    hits = (Hit(0.5, CLASS_INDEX["tom1_head"], 90, 0.9), Hit(1.0, CLASS_INDEX["kick"], 80, 0.8))
    result = Transcription(hits, 2.0, Path("song.wav"), scheme="8")
    paths = write(result, tmp_path / "song", ("json", "jsonl", "csv", "jams"), "gm", ScoreOptions())
    for path in paths:
        text = path.read_text()
        assert "tom1_head" not in text and ('"tom"' in text or ",tom," in text), path
    assert [row["drum"] for row in result.to_records()] == ["tom", "kick"]
    again, _ = read_json(tmp_path / "song.json")
    assert again.hits == hits and again.scheme == "8"
    assert json.loads((tmp_path / "song.json").read_text())["scheme"] == "8"
    toms = again.only({CLASS_INDEX["floor_tom_head"]})
    assert [hit.drum for hit in toms.hits] == [CLASS_INDEX["tom1_head"]], "a label that holds the drum"
    (tmp_path / "bad.json").write_text('{"hits": [], "seconds": 1, "scheme": ["8"]}')
    with pytest.raises(ValueError, match="bad.json: scheme"):
        read_json(tmp_path / "bad.json")


def test_a_kit_tells_apart_what_a_scheme_does_not() -> None:
    with pytest.raises(ValueError, match="a kit tells drums apart that scheme 8"):
        Transcriber(INFERENCE[0, 0.1], DecodeConfig(scheme="8"), kit=object())  # type: ignore[arg-type]
