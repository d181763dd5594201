"""The grammar's masks against a plain parser, numpy against torch, the loop-free states against stepping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.codec import BOS, EOS, PAD, Codec
from tokenizer.encode import encode
from tokenizer.grammar import START, State, advance, is_legal, mask_rows, mask_table, prefix_states
from tokenizer.hits import Hit

CODEC = Codec()
SMALL = Codec(segment_steps=4, velocity_bins=2)
SEQUENCES = st.lists(
    st.lists(st.builds(Hit, st.floats(0, 3.99), st.integers(0, 25), st.integers(1, 127)), max_size=20),
    min_size=1,
    max_size=4,
)


def parse(codec: Codec, ids: list[int]) -> bool:
    """`(time (drum velocity)+)* EOS PAD*` with times and drums rising, by hand and from left to right."""
    i, last_time = 0, -1
    while i < len(ids) and codec.first_time <= ids[i] < codec.first_drum:
        if ids[i] <= last_time:
            return False
        last_time = ids[i]
        i, drums = i + 1, []
        while (
            i + 1 < len(ids) and codec.first_drum <= ids[i] < codec.first_velocity <= ids[i + 1] < codec.size
        ):
            drums.append(ids[i])
            i += 2
        if not drums or drums != sorted(set(drums)):
            return False
    return i < len(ids) and ids[i] == EOS and all(token == PAD for token in ids[i + 1 :])


def start(rows: int) -> State:
    return State(np.full(rows, START), np.full(rows, -1), np.full(rows, -1))


def padded(codec: Codec, clips: list[list[Hit]]) -> np.ndarray:
    rows = [encode(codec, hits).ids for hits in clips]
    length = max(map(len, rows)) + 2
    return np.array([row + [PAD] * (length - len(row)) for row in rows])


def mask(codec: Codec, state: State) -> np.ndarray:
    first, second = mask_rows(codec, state)
    table = mask_table(codec)
    return np.asarray(table[first] | table[second])


def test_what_may_follow() -> None:
    def allowed(ids: list[int]) -> list[int]:
        state = start(1)
        for token in ids:
            state = advance(SMALL, state, np.array([token]))
        return np.flatnonzero(mask(SMALL, state)[0]).tolist()

    drums, velocities = list(range(7, 33)), [33, 34]
    assert allowed([]) == [EOS, 3, 4, 5, 6]
    assert allowed([4]) == drums
    assert allowed([4, 7]) == velocities
    assert allowed([4, 7, 33]) == [EOS, 5, 6, *drums[1:]]
    assert allowed([6, 32, 34]) == [EOS]  # last step, last drum
    assert allowed([6, 32, 34, EOS]) == [PAD]
    assert allowed([EOS, PAD]) == [PAD]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_every_walk_that_follows_the_mask_is_legal_and_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, walks = start(8), np.zeros((8, 0), dtype=int)
    for _ in range(SMALL.segment_steps * (1 + 2 * SMALL.num_drums) + 1):
        allowed = mask(SMALL, state)
        assert allowed.any(axis=1).all()
        token = np.array([rng.choice(np.flatnonzero(row)) for row in allowed])
        walks = np.concatenate([walks, token[:, None]], axis=1)
        state = advance(SMALL, state, token)
        if (token == PAD).all():
            break
    assert (walks == EOS).sum(axis=1).tolist() == [1] * 8
    for walk in walks.tolist():
        assert parse(SMALL, walk)
        assert is_legal(SMALL, walk)


@settings(max_examples=300)
@given(SEQUENCES, st.lists(st.tuples(st.integers(0, 100), st.integers(0, SMALL.size)), max_size=2))
def test_is_legal_agrees_with_the_parser_on_damaged_sequences(
    clips: list[list[Hit]], damage: list[tuple[int, int]]
) -> None:
    ids = encode(SMALL, [Hit(hit.time / 100, hit.drum % 3, hit.velocity) for hit in clips[0]]).ids
    for at, token in damage:
        ids[at % len(ids)] = token
    assert is_legal(SMALL, ids) == parse(SMALL, ids)


@pytest.mark.parametrize("ids", [[], [3], [BOS, EOS], [-1, EOS], [SMALL.size, EOS], [EOS, EOS], [PAD]])
def test_some_illegal_sequences(ids: list[int]) -> None:
    assert not is_legal(SMALL, ids)


@settings(max_examples=50)
@given(SEQUENCES)
def test_loop_free_states_equal_stepping(clips: list[list[Hit]]) -> None:
    tokens = padded(CODEC, clips)
    states = prefix_states(CODEC, tokens)
    state = start(len(tokens))
    for position in range(tokens.shape[1]):
        for name in ("phase", "last_time", "last_drum"):
            fast, slow = getattr(states, name)[:, position], getattr(state, name)
            assert fast.tolist() == slow.tolist(), (name, position)
        state = advance(CODEC, state, tokens[:, position])


@settings(max_examples=20)
@given(SEQUENCES)
def test_every_token_of_a_clip_is_allowed_where_it_stands(clips: list[list[Hit]]) -> None:
    tokens = padded(CODEC, clips)
    allowed = mask(CODEC, prefix_states(CODEC, tokens))
    assert np.take_along_axis(allowed, tokens[..., None], axis=2).all()


@settings(max_examples=20)
@given(SEQUENCES)
def test_numpy_and_torch_agree(clips: list[list[Hit]]) -> None:
    import torch

    tokens = padded(CODEC, clips)
    ours = start(len(tokens))
    theirs = State(
        *(torch.from_numpy(array.copy()) for array in (ours.phase, ours.last_time, ours.last_drum))
    )
    table = torch.from_numpy(mask_table(CODEC))
    for column in tokens.T:
        first, second = mask_rows(CODEC, theirs)
        assert np.array_equal((table[first] | table[second]).numpy(), mask(CODEC, ours))
        ours = advance(CODEC, ours, column)
        theirs = advance(CODEC, theirs, torch.from_numpy(column.copy()))
        for name in ("phase", "last_time", "last_drum"):
            assert getattr(theirs, name).dtype == torch.int64
            assert np.array_equal(getattr(theirs, name).numpy(), getattr(ours, name))


def test_the_two_rows_of_a_state_never_overlap() -> None:
    """So their union is also their sum, and a loss may add two gathered log-sums."""
    tokens = padded(CODEC, [[Hit(0.01 * i, i % 26, 1 + i) for i in range(100)]])
    first, second = mask_rows(CODEC, prefix_states(CODEC, tokens))
    table = mask_table(CODEC)
    assert not (table[first] & table[second]).any()
    assert not table[0].any()
