"""The vocabulary: literal ids, exact times, and a fingerprint that misses nothing."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import codec as codec_module
from tokenizer.codec import BOS, EOS, PAD, Codec
from tokenizer.drums import DRUMS

CODECS = st.builds(
    Codec,
    st.sampled_from([1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500, 1000]),
    st.integers(1, 2000),
    st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128]),
)


def test_literal_ids_of_the_default_vocabulary() -> None:
    codec = Codec()
    assert (PAD, BOS, EOS) == (0, 1, 2)
    assert (codec.first_time, codec.first_drum, codec.first_velocity, codec.size) == (3, 403, 429, 461)
    assert (codec.num_drums, codec.segment_seconds) == (26, 4.0)


def test_the_fingerprint_of_the_default_vocabulary_is_that_of_published_checkpoints() -> None:
    """Where this fails, every checkpoint trained before becomes unreadable: change it only on purpose."""
    assert Codec().fingerprint() == "9b0ff07094d00b8a"


def test_the_fingerprint_changes_with_every_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"steps_per_second": 50, "segment_steps": 401, "velocity_bins": 16}
    assert set(changes) == {field.name for field in dataclasses.fields(Codec)}
    codecs = [Codec(), *(dataclasses.replace(Codec(), **{name: value}) for name, value in changes.items())]
    prints = {codec.fingerprint() for codec in codecs}
    swapped = (DRUMS[1], DRUMS[0], *DRUMS[2:])
    renoted = (dataclasses.replace(DRUMS[0], td17_note=1), *DRUMS[1:])
    for drums in (swapped, renoted, DRUMS[:-1]):
        monkeypatch.setattr(codec_module, "DRUMS", drums)
        prints.add(Codec().fingerprint())
    assert len(prints) == 1 + 3 + 3
    assert all(len(text) == 16 for text in prints)


@given(CODECS)
def test_id_ranges_follow_one_another(codec: Codec) -> None:
    assert 3 == codec.first_time < codec.first_drum < codec.first_velocity < codec.size
    assert codec.first_drum - codec.first_time == codec.segment_steps
    assert codec.first_velocity - codec.first_drum == 26
    assert codec.size - codec.first_velocity == codec.velocity_bins


@given(CODECS)
def test_steps_survive_the_way_to_seconds_and_back(codec: Codec) -> None:
    assert all(codec.step_of(codec.time_of(step)) == step for step in range(codec.segment_steps))


@given(CODECS, st.floats(-1, 10))
def test_a_time_is_at_most_half_a_step_from_its_step(codec: Codec, time: float) -> None:
    error = codec.time_of(codec.step_of(time)) - time
    assert abs(error) <= 0.5 / codec.steps_per_second + 1e-12


def test_the_half_step_rounds_up_on_both_sides_of_zero() -> None:
    codec = Codec(steps_per_second=8)  # binary fractions: 1/16 s is exactly half a step
    assert [codec.step_of(n / 16) for n in (-3, -2, -1, 0, 1, 2, 3)] == [-1, -1, 0, 0, 1, 1, 2]
    assert codec.step_of(0.0625 - 2**-40) == 0


@given(CODECS, st.integers(1, 127))
def test_velocities_survive_within_a_bin(codec: Codec, velocity: int) -> None:
    index = codec.velocity_bin(velocity)
    assert 0 <= index < codec.velocity_bins
    middle = codec.velocity_of(index)
    assert 1 <= middle <= 127
    assert abs(middle - velocity) <= 64 / codec.velocity_bins
    assert codec.velocity_bin(middle) == index


def test_velocity_of_takes_fractions_and_stays_in_range() -> None:
    codec = Codec()
    assert (codec.velocity_of(0), codec.velocity_of(15.5), codec.velocity_of(31)) == (2, 64, 126)
    assert (codec.velocity_of(-0.5), codec.velocity_of(99)) == (1, 127)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps_per_second", 0, "steps_per_second 0 must divide 1000"),
        ("steps_per_second", 3, "steps_per_second 3 must divide 1000"),
        ("steps_per_second", 2000, "steps_per_second 2000 must divide 1000"),
        ("segment_steps", 0, "segment_steps 0 is outside 1..100000"),
        ("segment_steps", 100_001, "segment_steps 100001 is outside"),
        ("velocity_bins", 0, "velocity_bins 0 must divide 128"),
        ("velocity_bins", 3, "velocity_bins 3 must divide 128"),
        ("velocity_bins", 256, "velocity_bins 256 must divide 128"),
    ],
)
def test_impossible_parameters_are_refused(name: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Codec(), **{name: value})
