"""The error analysis: why a hit is wrong, which moments are worst, the real main() on made-up recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eval.metrics.match import get_scheme, match_tracks, reduce_hits
from scripts import error_report
from scripts.pages.error_hits import LABELS, MOMENTS, MOST_A_SONG, Levels, Take, Wrong, errors, worst_moments
from scripts.pages.error_page import draw, tables
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

SECONDS = 20


def hits(*rows: tuple[float, str]) -> tuple[Hit, ...]:
    return tuple(Hit(time, CLASS_INDEX[drum], 100) for time, drum in rows)


def levels(*steps: tuple[float, float]) -> Levels:
    """Silence with steps of 20 dB for 0.1 s: (second, Hz), an octave wide."""
    hertz = np.geomspace(40, 16_000, 60)
    decibel = np.full((len(hertz), SECONDS * 100), -80.0)
    for second, centre in steps:
        inside = (hertz > centre / 2) & (hertz < centre * 2)
        first = round(second * 100)
        decibel[inside, first : first + 10] += 20.0
    return Levels(decibel, hertz)


def take(song: str = "a", mix: str = "pseudo_mix") -> Take:
    """Every reason once. The drums alone rise where something is struck; the band alone at 9 s."""
    played = hits((1, "kick"), (2, "crash1"), (3, "hihat_closed"), (4, "snare_head"), (5, "tom1_head"))
    written = hits(
        (1, "kick"),
        (1.04, "kick"),
        (2, "hihat_open"),
        (4, "snare_head"),
        (4, "tom1_head"),
        (7, "snare_rim"),
        (9, "hihat_closed"),
        (10, "crash1"),
        (11, "kick"),
    )
    unjudged = frozenset({"snare_cross_stick"})
    (match,) = match_tracks({song: played}, {song: written}, unjudged=unjudged)
    (other,) = match_tracks({song: played}, {song: hits((1, "kick"), (11, "kick"))}, unjudged=unjudged)
    removed = reduce_hits(hits((3, "hihat_open")), get_scheme("5"))
    opinion = np.zeros((SECONDS * 100, len(LABELS)), dtype=np.float32)
    opinion[502, LABELS.index("TT")] = 0.7
    drums = levels((1, 60), (3, 8_000), (4, 300), (5, 120), (7, 1_000), (11, 60))
    rises = levels((1, 60), (3, 8_000), (4, 300), (5, 120), (7, 1_000), (9, 8_000), (11, 60))
    strokes = (*played, *hits((7.01, "snare_cross_stick")))
    return Take(song, mix, match, written, removed, strokes, opinion, rises, drums, other)


def test_every_wrong_hit_has_its_reason() -> None:
    found = {(w.kind, w.time, w.label): w for w in errors(take())}
    assert {key: wrong.why for key, wrong in found.items()} == {
        ("missed", 2, "CY"): "as another",
        ("missed", 3, "HH"): "low confidence",
        ("missed", 5, "TT"): "strong evidence",
        ("invented", 1.04, "KD"): "twice",
        ("invented", 2, "HH"): "for another",
        ("invented", 4, "TT"): "beside another",
        ("invented", 7, "SD"): "unscored stroke",
        ("invented", 9, "HH"): "band",
        ("invented", 10, "CY"): "nothing",
        ("invented", 11, "KD"): "drums",
    }
    assert found["missed", 2, "CY"].flat and not found["missed", 3, "HH"].flat
    assert found["invented", 11, "KD"].shared and not found["invented", 9, "HH"].shared
    assert found["missed", 2, "CY"].shared
    assert found["invented", 7, "SD"].drum == "snare_rim"


def test_a_rise_is_measured_in_its_bands() -> None:
    level = levels((3, 8_000))
    assert level.rise(3.0, 5_000, 12_000) == pytest.approx(20)
    assert level.rise(3.0, 30, 120) == 0
    assert level.rise(0.0, 5_000, 12_000) == 0  # before the first frame that has frames before it


def test_worst_moments_do_not_overlap_and_are_shared_out() -> None:
    bad, other = take("bad", "drum_only"), take("bad", "pseudo_mix")
    good = take("good", "drum_only")

    def wrong(of: Take, *times: float) -> list[Wrong]:
        return [Wrong(of, "missed", time, "KD", "kick", "no evidence", False, False) for time in times]

    many = wrong(bad, *np.arange(0.2, 18, 0.25)) + wrong(other, 0.5, 17.0) + wrong(good, 3.0, 3.1, 9.0)
    chosen = worst_moments(many)
    assert sum(of.song == "bad" for of, _, _ in chosen) == MOST_A_SONG
    assert len(chosen) == MOST_A_SONG + 2 <= MOMENTS
    starts = sorted(start for of, start, _ in chosen if of.song == "bad")
    assert min(np.diff(starts)) >= 2.0
    assert [len(inside) for _, _, inside in chosen] == sorted((len(c[2]) for c in chosen), reverse=True)


def test_tables_and_picture() -> None:
    one = take()
    text = "\n".join(tables([one], errors(one)))
    assert "| a | pseudo mix | 0.286 (−3 +7) | 0.500 (−0 +2) |" in text
    assert "| CY | pseudo mix | 1 |  | 1 |  |  |  | 1 | 1 |" in text
    assert draw(one, 2.5).startswith(b"\x89PNG")
    assert draw(one, 6.0) != draw(replace(one, strokes=()), 6.0)  # the side stick at 7.01 s is drawn


def test_captions_belong_to_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "captions.yaml"
    path.write_text("- {recording: a, mix: pseudo_mix, second: 3, text: |\n    two\n    lines}\n")
    with pytest.raises(ValueError, match=r"captions\.yaml: expected a list"):
        error_report.read_captions(path)
    path.write_text("- recording: a\n  mix: pseudo_mix\n  second: 3\n  text: |\n    two\n    lines\n")
    captions = error_report.read_captions(path)
    assert error_report.caption_of(captions, take(), 3.9) == "two lines"
    assert error_report.caption_of(captions, take(), 4.1) == ""
    assert error_report.caption_of(captions, take(mix="drum_only"), 3.0) == ""


@pytest.mark.slow
def test_main_writes_page_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mt3drum.config import PRESETS
    from mt3drum.model.checkpoint import save_checkpoint
    from mt3drum.model.network import DrumModel

    root, rate = tmp_path / "mdb", 44_100
    for mix, ending in (("drum_only", "Drum"), ("pseudo_mix", "PSEUDO"), ("full_mix", "MIX")):
        noise = np.random.default_rng(0).normal(0, 0.05, 5 * rate).astype("float32")
        (root / "audio" / mix).mkdir(parents=True)
        soundfile.write(root / "audio" / mix / f"MusicDelta_one_{ending}.flac", noise, rate)
        write_midi(hits((1, "kick")), root / "estimates" / "adtof" / mix / "one.mid")
    for kind, labels in (("class", "KD CY"), ("subclass", "KD CRC")):
        rows = "".join(f"{i + 1} \t {label}\n" for i, label in enumerate(labels.split()))
        path = root / "annotations" / kind / f"MusicDelta_one_{kind}.txt"
        path.parent.mkdir(parents=True)
        path.write_text(rows)
    config = PRESETS["tiny"]
    save_checkpoint(
        tmp_path / "random.safetensors", config, DrumModel(config).state_dict(), {}, {"max_tokens": 8}
    )
    arguments = ["--data", f"{root}", "--checkpoint", f"{tmp_path}/random.safetensors"]
    assert error_report.main([*arguments, "--output", f"{tmp_path}/out"]) == 0
    page = (tmp_path / "out" / "errors.md").read_text(encoding="utf-8")
    pictures = sorted(path.name for path in (tmp_path / "out" / "images" / "errors").iterdir())
    assert pictures and all(f"images/errors/{name}" in page for name in pictures)
    assert error_report.main(["--data", f"{tmp_path}/none", *arguments[2:]]) == 1
    assert "error_report: " in capsys.readouterr().err
