"""What drummers can and do play: counts by hand, and what the options leave out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mt3drum.cli.decode_options import decode_options
from mt3drum.cli.main import build_parser
from mt3drum.decode import preferences as module
from mt3drum.decode.beam_search import generate
from mt3drum.decode.preferences import LAGS, count, counts, log_ratios
from mt3drum.decoding import PLAYABLE, DecodeConfig
from mt3drum.model.stem import EncoderOutput
from tests.mt3drum.decode.test_beam_search import INFERENCE, random_states
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES

KICK, SNARE, HAT, PEDAL, CRASH, RIDE, AUX = (
    CLASS_INDEX[name]
    for name in ("kick", "snare_head", "hihat_closed", "hihat_pedal", "crash1", "ride", "aux1")
)
FRAMES = DecodeConfig(onset_weight=1.0, onset_bias=0.0)


def heard(*strokes: tuple[int, int, float]) -> EncoderOutput:
    """(step, drum, logit); nothing else."""
    encoded = random_states(0, 1, 0.0, -20.0)
    logits = encoded.onset_logits.clone()
    for step, drum, logit in strokes:
        logits[0, step, drum] = logit
    return encoded._replace(onset_logits=logits)


def struck(encoded: EncoderOutput, config: DecodeConfig) -> list[tuple[int, int]]:
    (found,) = generate(INFERENCE[0, 0.1], encoded, config)
    return [(step, hit.drum) for step, hit in zip(found.steps, found.hits, strict=True)]


def test_counts_by_hand() -> None:
    """Kick and hat, 10 steps later the snare; 100 steps later a kick."""
    found = count([[(0, HAT), (0, KICK), (10, SNARE), (110, KICK)], [(5, RIDE)]])
    assert found["moments"][[KICK, SNARE, HAT, RIDE, NUM_CLASSES]].tolist() == [2, 1, 1, 1, 4]
    lag = LAGS.index(7)
    assert found["pairs"][SNARE, KICK, lag] == found["pairs"][SNARE, HAT, lag] == 1
    assert found["pairs"][KICK, SNARE, len(LAGS) - 1] == 1 and found["pairs"].sum() == 3
    assert found["after"][[KICK, HAT], lag].tolist() == [1, 1] and found["after"].sum() == 3


def test_the_table_says_what_drummers_do() -> None:
    ratios, (moments, after, pairs) = log_ratios("26"), counts()
    assert ratios.shape == (NUM_CLASSES, NUM_CLASSES, len(LAGS)) and np.isfinite(ratios).all()
    assert (pairs <= after[None]).all() and moments[-1] > 100_000
    assert ratios[KICK, KICK, 0] < -2, "the kick is not struck again 10 ms later"
    assert ratios[RIDE, RIDE].max() > 1, "who rides goes on riding"
    crash = log_ratios("5")[CLASS_INDEX["crash1"], CLASS_INDEX["crash1"]]
    assert crash.max() > 0.5, "one label for crashes and rides"


@pytest.mark.parametrize("beam", [0, 1, 3])
def test_two_hands(beam: int) -> None:
    """0: the onset head alone. The weakest of three hands goes (greedy search
    strikes it last), feet and other players stay."""
    strokes = [
        (20, SNARE, 6.0),
        (20, HAT, 6.5),
        (20, CRASH, 3.0),
        (20, KICK, 4.0),
        (20, PEDAL, 4.0),
        (20, AUX, 4.0),
    ]
    config = FRAMES if beam == 0 else DecodeConfig(onset_weight=0.99, onset_bias=0.0, beam=beam)
    encoded = heard(*strokes)
    everything = {(step, drum) for step, drum, _ in strokes}
    assert set(struck(encoded, config)) == everything
    assert set(struck(encoded, replace(config, playable=PLAYABLE))) == everything - {(20, CRASH)}
    assert set(struck(encoded, replace(config, playable=1.0))) == everything, "soft: it was likely enough"


def test_a_hand_is_back_after_20_ms() -> None:
    strokes = [(20, SNARE, 6.0), (20, HAT, 6.0), (21, CRASH, 3.0), (25, RIDE, 3.0)]
    kept = struck(heard(*strokes), replace(FRAMES, playable=PLAYABLE))
    assert kept == [(20, SNARE), (20, HAT), (25, RIDE)]
    search = DecodeConfig(onset_weight=0.99, onset_bias=0.0, playable=PLAYABLE)
    assert struck(heard(*strokes), search) == kept, "and no other drum is invented at the time of the crash"


def test_transitions_decide_between_drums(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kick comes the ride, never the crash."""
    ratios = np.zeros((NUM_CLASSES, NUM_CLASSES, len(LAGS)))
    ratios[RIDE, KICK], ratios[CRASH, KICK] = 2.0, -2.0
    monkeypatch.setattr(module, "log_ratios", lambda scheme: ratios)
    strokes = [(10, KICK, 6.0), (20, CRASH, 1.0), (20, RIDE, -1.0)]
    assert struck(heard(*strokes), FRAMES) == [(10, KICK), (20, CRASH)]
    assert struck(heard(*strokes), replace(FRAMES, transitions=1.0)) == [(10, KICK), (20, RIDE)]
    assert struck(heard(*strokes[1:]), replace(FRAMES, transitions=1.0)) == [(20, CRASH)], "nothing before it"
    search = DecodeConfig(onset_weight=0.99, onset_bias=0.0, transitions=1.0)
    assert struck(heard(*strokes), search) == [(10, KICK), (20, RIDE)]


def test_options_of_the_command() -> None:
    def options(*words: str) -> dict[str, object]:
        return decode_options(build_parser().parse_args(["transcribe", "a.wav", *words]))

    found = options("--minimum-confidence", "tom=0.4, ride=0.2", "--playable", "--transitions", "0.5")
    assert found == {
        "minimum_confidence": {"tom": 0.4, "ride": 0.2},
        "playable": PLAYABLE,
        "transitions": 0.5,
    }
    assert options("--minimum-confidence", "0.4", "--scheme", "8") == {
        "minimum_confidence": 0.4,
        "scheme": "8",
    }
    with pytest.raises(ValueError, match="names no family of drums: bongo"):
        options("--minimum-confidence", "bongo=0.4")
    with pytest.raises(ValueError, match="--kit distinguishes drums"):
        options("--scheme", "8", "--kit", "samples")
    with pytest.raises(SystemExit):
        options("--minimum-confidence", "tom=")


def test_named_families_leave_the_others_as_they_are() -> None:
    config = DecodeConfig(minimum_confidence=(("kick", 0.3), ("tom", 0.2)))
    changed = config.with_options({"minimum_confidence": {"tom": 0.5}})
    assert dict(changed._least) == {"kick": 0.3, "tom": 0.5}
    assert (
        dict(DecodeConfig(minimum_confidence=0.1).with_options({"minimum_confidence": {"tom": 0.5}})._least)[
            "kick"
        ]
        == 0.1
    )
