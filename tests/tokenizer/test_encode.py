"""Hits to ids and back: literal ids, round trips, the border rule, and decoding of anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.codec import BOS, EOS, PAD, Codec
from tokenizer.drums import CLASS_INDEX
from tokenizer.encode import decode, encode
from tokenizer.grammar import is_legal
from tokenizer.hits import Hit

CODEC = Codec()
SMALL = Codec(steps_per_second=8, segment_steps=4, velocity_bins=2)

HITS = st.lists(st.builds(Hit, st.floats(-0.5, 5), st.integers(0, 25), st.integers(1, 127)), max_size=30)


def test_literal_ids_of_a_small_segment() -> None:
    hits = [
        Hit(0.504, CLASS_INDEX["snare_head"], 100),
        Hit(0.0, CLASS_INDEX["hihat_closed"], 127),
        Hit(0.0, CLASS_INDEX["kick"], 1),
        Hit(3.99, CLASS_INDEX["aux2"], 64),
    ]
    encoded = encode(CODEC, hits)
    # step 0: kick bin 0, hihat_closed bin 31; step 50: snare_head bin 25; step 399: aux2 bin 16
    assert encoded.ids == [3, 403, 429, 407, 460, 53, 404, 454, 402, 428, 445, 2]
    assert (encoded.merged, encoded.dropped) == (0, 0)
    assert decode(CODEC, encoded.ids).hits == [
        Hit(0.0, 0, 2),
        Hit(0.0, 4, 126),
        Hit(0.5, 1, 102),
        Hit(3.99, 25, 66),
    ]


def test_an_empty_segment_is_only_its_end() -> None:
    assert encode(CODEC, []).ids == [EOS]
    decoded = decode(CODEC, [EOS])
    assert (decoded.hits, decoded.invalid, decoded.dropped) == ([], 0, 0)


def test_the_loudest_of_one_drum_in_one_step_is_kept_and_the_others_counted() -> None:
    hits = [Hit(0.100, 0, 50), Hit(0.104, 0, 90), Hit(0.096, 0, 70), Hit(0.104, 1, 10)]
    encoded = encode(CODEC, hits)
    assert encoded.merged == 2
    assert encoded.ids == encode(CODEC, [Hit(0.1, 0, 90), Hit(0.1, 1, 10)]).ids


@given(HITS)
def test_hits_survive_the_way_to_ids_and_back(hits: list[Hit]) -> None:
    encoded = encode(CODEC, hits)
    assert is_legal(CODEC, encoded.ids)
    decoded = decode(CODEC, encoded.ids)
    assert (decoded.invalid, decoded.dropped) == (0, 0)
    assert len(decoded.hits) == len(hits) - encoded.merged - encoded.dropped
    assert decoded.hits == sorted(decoded.hits)
    again = encode(CODEC, decoded.hits)
    assert (again.ids, again.merged, again.dropped) == (encoded.ids, 0, 0)
    for hit in decoded.hits:  # each is some given hit, to half a step and half a bin
        assert any(
            hit.drum == given.drum
            and abs(hit.time - given.time) <= 0.005 + 1e-9
            and abs(hit.velocity - given.velocity) <= 2
            for given in hits
        )


def test_the_border_rule_at_exactly_the_half_step() -> None:
    """Half a step before the end belongs to the next segment, at its step 0; a hair earlier does not."""
    seconds = SMALL.segment_seconds  # 0.5 s of 1/8 s steps: 7/16 s is the half step before the end
    half = Hit(7 / 16, 0, 100)
    assert encode(SMALL, [half]).dropped == 1
    assert encode(SMALL, [Hit(half.time - seconds, 0, 100)]).ids[0] == SMALL.first_time
    before = Hit(7 / 16 - 2**-40, 0, 100)
    assert encode(SMALL, [before]).ids[0] == SMALL.first_time + 3
    assert encode(SMALL, [Hit(before.time - seconds, 0, 100)]).dropped == 1
    assert encode(SMALL, [Hit(-1 / 16, 0, 100)]).dropped == 0


@given(st.lists(st.integers(0, 2 * 1024 - 65).map(lambda n: Hit(n / 1024, 0, 100)), max_size=20))
def test_segments_laid_end_to_end_hold_every_hit_once(hits: list[Hit]) -> None:
    starts = [0.0, 0.5, 1.0, 1.5]
    segments = [encode(SMALL, [Hit(hit.time - start, 0, 100) for hit in hits]) for start in starts]
    assert sum(len(hits) - segment.dropped for segment in segments) == len(hits)


TOKENS = st.one_of(st.integers(-3, CODEC.size + 3), st.sampled_from([PAD, BOS, EOS]), st.integers())


@given(st.lists(TOKENS, max_size=60))
def test_any_integers_decode_and_the_counts_account_for_every_token(ids: list[int]) -> None:
    decoded = decode(CODEC, ids)
    before_end = ids.index(EOS) if EOS in ids else len(ids)
    used = 2 * len(decoded.hits) + len({hit.time for hit in decoded.hits})
    # A last time whose only drum has no velocity counts as one dropped event of two tokens.
    assert before_end - used - decoded.invalid - decoded.dropped in (0, 1)
    assert decoded.invalid >= 0 <= decoded.dropped
    assert decoded.hits == sorted(decoded.hits)
    assert all(0 <= hit.time < CODEC.segment_seconds for hit in decoded.hits)
    assert is_legal(CODEC, encode(CODEC, decoded.hits).ids)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([BOS, 3, 4, 6, 7, 8, 32, 33, 34]), max_size=8), st.integers(0, 2))  # of SMALL
def test_decoding_finds_fault_exactly_where_the_grammar_does(ids: list[int], padding: int) -> None:
    ids = [token for token in ids if token not in (PAD, EOS)] + [EOS] + [PAD] * padding
    decoded = decode(SMALL, ids)
    assert is_legal(SMALL, ids) == (decoded.invalid == decoded.dropped == 0)


T, D, V = CODEC.first_time, CODEC.first_drum, CODEC.first_velocity


@pytest.mark.parametrize(
    ("ids", "hits", "invalid", "dropped"),
    [
        ([T + 5, D, V, EOS, T + 9, D, V], 1, 0, 0),  # nothing counts after the end
        ([T + 5, D, V], 1, 0, 0),  # no end
        ([T + 5, T + 6, D, V, EOS], 1, 0, 1),  # a time without a drum
        ([T + 5, D, EOS], 0, 0, 1),  # a drum without a velocity
        ([T + 5, EOS], 0, 0, 1),
        ([T + 5, D, V, T + 5, D + 1, V, EOS], 2, 1, 0),  # a time that does not rise
        ([T, T + 6, D, V, EOS], 1, 0, 1),
        ([T + 5, D, V, D, V, EOS], 1, 2, 0),  # a drum twice
        ([T + 5, D + 1, V, D, V, EOS], 1, 2, 0),  # a drum that does not rise, and its velocity
        ([D, V, EOS], 0, 2, 0),  # no time
        ([T + 5, V, D, V, EOS], 1, 1, 0),
        ([T + 5, D, D + 1, V, EOS], 1, 1, 0),
        ([BOS, PAD, -1, CODEC.size, T, D, V, EOS], 1, 4, 0),
    ],
)
def test_what_is_wrong_is_skipped_and_counted(ids: list[int], hits: int, invalid: int, dropped: int) -> None:
    decoded = decode(CODEC, ids)
    assert (len(decoded.hits), decoded.invalid, decoded.dropped) == (hits, invalid, dropped)
