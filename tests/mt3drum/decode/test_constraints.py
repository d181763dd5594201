"""What may come next: the grammar and each option that narrows it, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from mt3drum.decode.constraints import Narrowing
from mt3drum.decoding import DecodeConfig
from tokenizer.codec import EOS, PAD, Codec

CODEC = Codec(segment_steps=200)
KICK, SNARE, HAT = 0, 1, 4


def T(step: int) -> int:
    return CODEC.first_time + step


def D(drum: int) -> int:
    return CODEC.first_drum + drum


V = CODEC.first_velocity + 20


def narrowing(segments: int = 1, until: int = 200, **options: Any) -> Narrowing:
    return Narrowing(CODEC, torch.zeros(segments, 200, 26), DecodeConfig(**options), until)


def after(found: Narrowing, *tokens: int) -> Narrowing:
    for token in tokens:
        found.advance(None, torch.full(found.state.phase.shape, token))
    return found


def allowed(
    found: Narrowing, must_end: bool | torch.Tensor = False
) -> tuple[list[int], list[int], int, bool]:
    """Times, drums, how many velocities, whether it may end; of the first row."""
    (row, *_) = found.narrow(found.legal(), must_end).flatten(0, 1)
    assert bool(row.any()) and not bool(row[:EOS].any()) | bool(row[PAD])
    times, drums = row[CODEC.first_time : CODEC.first_drum], row[CODEC.first_drum : CODEC.first_velocity]
    velocities = int(row[CODEC.first_velocity :].sum())
    return (
        torch.nonzero(times)[:, 0].tolist(),
        torch.nonzero(drums)[:, 0].tolist(),
        velocities,
        bool(row[EOS]),
    )


def test_the_grammar() -> None:
    found = narrowing(until=190)
    assert allowed(found) == (list(range(190)), [], 0, True)
    assert allowed(after(found, T(30))) == ([], list(range(26)), 0, False)
    assert allowed(after(found, D(KICK))) == ([], [], 32, False)
    assert allowed(after(found, V)) == (list(range(31, 190)), list(range(1, 26)), 0, True)


def test_only_the_classes_of_the_recording() -> None:
    found = narrowing(classes=frozenset({SNARE, HAT}))
    assert allowed(after(found, T(5)))[1] == [SNARE, HAT]
    assert allowed(after(found, D(SNARE), V)) == (list(range(6, 200)), [HAT], 0, True)


def test_a_drum_rests_for_the_least_gap() -> None:
    """50 ms are five steps: after a kick at 10 the next is at 15. A time needs a drum that is ready."""
    found = after(narrowing(minimum_gap=0.05, classes=frozenset({KICK, SNARE})), T(10), D(KICK), V)
    assert allowed(found)[0][0] == 11  # for the snare
    after(found, T(14))
    assert allowed(found)[1] == [SNARE]
    alone = after(narrowing(minimum_gap=0.05, classes=frozenset({KICK})), T(10), D(KICK), V)
    assert allowed(alone) == (list(range(15, 200)), [], 0, True)
    assert allowed(after(alone, T(15)))[1] == [KICK]


def test_hits_of_any_second_are_bounded() -> None:
    """Two a second: after hits at 10 and 30 the next is at 110, a second after the first."""
    found = after(narrowing(max_hits_per_second=2), T(10), D(KICK), V)
    assert allowed(found)[:2] == (list(range(11, 200)), list(range(1, 26)))
    after(found, T(30), D(KICK), V)
    assert allowed(found) == (list(range(110, 200)), [], 0, True)
    after(found, T(110))
    assert allowed(found)[1] == list(range(26))  # a time must have a drum
    after(found, D(KICK), V)
    assert allowed(found)[:2] == (list(range(130, 200)), [])
    both = after(narrowing(max_hits_per_second=2), T(10), D(KICK), V, D(SNARE), V)
    assert allowed(both)[:2] == (list(range(110, 200)), [])


def test_what_must_end_ends_as_soon_as_it_may() -> None:
    found = narrowing()
    assert allowed(found, True) == ([], [], 0, True)
    after(found, T(3))
    assert allowed(found, True)[1] == list(range(26))
    after(found, D(KICK))
    assert allowed(found, True)[2] == 32
    after(found, V)
    assert allowed(found, True) == ([], [], 0, True)
    assert allowed(found, torch.tensor([[False]])) == allowed(found, False)


def test_beams_take_the_history_of_their_parents() -> None:
    found = narrowing(beam=2, minimum_gap=0.05, max_hits_per_second=1)
    for tokens in ([T(10), T(20)], [D(KICK), D(SNARE)], [V, V]):
        found.advance(None, torch.tensor([tokens]))
    found.advance(torch.tensor([[1, 0]]), torch.tensor([[T(120), T(110)]]))
    assert found.state.last_time.tolist() == [[120, 110]]
    assert found.struck[0, :, :2].tolist() == [[-1_000_000, 20], [10, -1_000_000]]
    assert found.recent.tolist() == [[[20], [10]]]
    assert torch.equal(found.earlier, found.struck)
    found.advance(None, torch.tensor([[D(SNARE), D(SNARE)]]))
    assert found.struck[0, :, :2].tolist() == [[-1_000_000, 120], [10, 110]]
    assert found.earlier[0, :, :2].tolist() == [[-1_000_000, 20], [10, -1_000_000]]
    assert found.recent.tolist() == [[[120], [110]]]


def test_segments_that_are_kept() -> None:
    found = narrowing(3, minimum_gap=0.05, max_hits_per_second=1)
    for tokens in ([T(1), T(2), T(3)], [D(0), D(1), D(2)]):
        found.advance(None, torch.tensor(tokens)[:, None])
    found.keep(torch.tensor([2, 0]))
    assert found.state.last_time[:, 0].tolist() == [3, 1]
    assert [int(row.argmax()) for row in found.struck[:, 0]] == [2, 0]
    assert found.earlier.shape == (2, 1, 26) and found.recent[:, 0].tolist() == [[3], [1]]


SEQUENCES: list[Sequence[int]] = [
    [T(4), D(KICK), V, D(HAT), V, T(9), D(KICK), V, T(120), D(SNARE), V, EOS],
    [T(0), D(SNARE), V, T(1), D(KICK), V, T(102), D(KICK), V, D(SNARE), V, EOS],
    [EOS] + [PAD] * 11,
]


@pytest.mark.parametrize(
    "options",
    [{}, {"minimum_gap": 0.06}, {"max_hits_per_second": 2}, {"minimum_gap": 0.05, "max_hits_per_second": 3}],
)
def test_a_window_of_a_sequence_is_as_if_stepped_to(options: dict[str, Any]) -> None:
    tokens = np.array(SEQUENCES)
    stepped = narrowing(3, **options)
    offered, earlier = [], []
    for place in range(12):
        offered.append(stepped.narrow(stepped.legal(), False)[:, 0])
        earlier.append((stepped.struck[:, 0].clone(), stepped.earlier[:, 0].clone()))
        stepped.advance(None, torch.from_numpy(tokens[:, place : place + 1]))
    for first, size in ((np.array([0, 0, 0]), 12), (np.array([3, 5, 0]), 4)):
        found = narrowing(3, **options).before(tokens, first, size)
        masks = found.narrow(found.legal(), False)
        for row in range(2):
            for place in range(size):
                assert torch.equal(masks[row, place], offered[first[row] + place][row])
                if options.get("minimum_gap"):
                    struck, before = earlier[first[row] + place]
                    assert torch.equal(found.struck[row, place], struck[row])
                    assert torch.equal(found.earlier[row, place], before[row])
