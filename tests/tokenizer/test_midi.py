"""MIDI out and in again: exact classes, times within half a millisecond, and what other libraries see."""

from __future__ import annotations

from collections import Counter, defaultdict
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import (
    MidiError,
    MidiScore,
    from_note_sequence,
    note_numbers,
    read_midi,
    to_note_sequence,
    to_pretty_midi,
    write_midi,
)

GM, TD17 = LABEL_MAPS["gm"], LABEL_MAPS["td17"]
HALF_TICK = 0.0005 + 1e-9

# 2 ms apart at least, so that no two strokes of one note share a tick of at most 1 ms.
HITS = st.lists(
    st.tuples(st.integers(0, 30_000), st.integers(0, 25), st.integers(1, 127)),
    max_size=40,
    unique_by=lambda t: t[:2],
).map(lambda rows: sorted(Hit(step * 0.002, drum, velocity) for step, drum, velocity in rows))
TEMPOS = st.lists(
    st.tuples(st.floats(0, 60), st.floats(3.6, 1000)), max_size=5, unique_by=lambda change: change[0]
)


def assert_same(read: tuple[Hit, ...], written: list[Hit]) -> None:
    """The same strokes, in any order within a tick, each within half a tick of its time."""
    assert len(read) == len(written)
    times = defaultdict(list)
    for hit in read:
        times[hit.drum].append((hit.time, hit.velocity))
    for hit in written:
        time, velocity = times[hit.drum].pop(0)
        assert velocity == hit.velocity
        assert abs(time - hit.time) <= HALF_TICK


@settings(max_examples=50)
@given(hits=HITS, tempos=TEMPOS)
def test_td17_notes_keep_all_classes_at_any_tempo(
    tmp_path_factory: pytest.TempPathFactory, hits: list[Hit], tempos: list[tuple[float, float]]
) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    assert write_midi(hits, path, notes="td17", tempos=tempos) == 0
    score = read_midi(path, TD17)
    assert_same(score.hits, hits)
    assert not score.unmapped and not score.excluded


def test_general_midi_merges_exactly_four_classes(tmp_path: Path) -> None:
    hits = [Hit(0.25 * i, i, 1 + 4 * i) for i in range(26)]
    write_midi(hits, tmp_path / "a.mid")
    merged = {
        "hihat_closed_edge": "hihat_closed",
        "hihat_open_edge": "hihat_open",
        "tom3_rim": "tom3_head",
        "floor_tom_rim": "floor_tom_head",
    }
    expected = [
        Hit(hit.time, CLASS_INDEX[merged.get(DRUMS[hit.drum].name, DRUMS[hit.drum].name)], hit.velocity)
        for hit in hits
    ]
    assert_same(read_midi(tmp_path / "a.mid", GM).hits, expected)


def test_strokes_that_share_note_and_tick_are_one_and_counted(tmp_path: Path) -> None:
    edge, bow = CLASS_INDEX["hihat_closed_edge"], CLASS_INDEX["hihat_closed"]
    hits = [Hit(1.0, bow, 50), Hit(1.0, edge, 90), Hit(1.0, 0, 10), Hit(1.0001, 0, 5)]
    assert write_midi(hits, tmp_path / "a.mid") == 2
    assert [(hit.drum, hit.velocity) for hit in read_midi(tmp_path / "a.mid", GM).hits] == [
        (0, 10),
        (bow, 90),
    ]
    assert write_midi(hits[:3], tmp_path / "a.mid", notes="td17") == 0


def test_tempo_and_meter_are_kept(tmp_path: Path) -> None:
    tempos, meters = [(0.0, 97.5), (4.0, 180.0), (9.5, 61.0)], [(0.0, 7, 8), (4.0, 4, 4)]
    write_midi([Hit(12.0, 0, 1)], tmp_path / "a.mid", tempos=tempos, time_signatures=meters)
    score = read_midi(tmp_path / "a.mid", GM)
    for (seconds, bpm), (given_seconds, given_bpm) in zip(score.tempos, tempos, strict=True):
        assert abs(seconds - given_seconds) <= HALF_TICK
        assert bpm == pytest.approx(given_bpm, rel=1e-5)
    for meter, given_meter in zip(score.time_signatures, meters, strict=True):
        assert abs(meter[0] - given_meter[0]) <= HALF_TICK
        assert meter[1:] == given_meter[1:]
    assert score.ticks_per_beat == 1920  # at 61 beats a minute 960 would make a tick of 1.02 ms


def test_the_default_tempo_is_written_out(tmp_path: Path) -> None:
    write_midi([], tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid", GM) == MidiScore((), Counter(), Counter(), ((0.0, 120.0),), (), 960)


@settings(max_examples=30)
@given(hits=HITS)
def test_no_written_note_is_empty_or_overlaps_the_next_of_its_pitch(
    tmp_path_factory: pytest.TempPathFactory, hits: list[Hit]
) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    merged = write_midi([Hit(hit.time / 40, hit.drum % 3, hit.velocity) for hit in hits], path)
    spans: dict[int, list[list[int]]] = defaultdict(list)
    tick = 0
    for message in mido.MidiFile(path).tracks[1]:
        tick += message.time
        if message.type == "note_on":
            assert message.channel == 9 and message.velocity > 0
            spans[message.note].append([tick])
        elif message.type == "note_off":
            spans[message.note][-1].append(tick)
    assert sum(map(len, spans.values())) == len(hits) - merged
    for notes in spans.values():
        assert all(start < end <= start + 96 for start, end in notes)  # 0.05 s at 120 and 960 ticks a beat
        assert all(end <= start for (_, end), (start, _) in pairwise(notes))


def test_writing_makes_the_folder_and_replaces_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.mid"
    write_midi([Hit(0.0, 0, 1)], path)
    before = path.read_bytes()
    with pytest.raises(MidiError):
        write_midi([Hit(-1.0, 0, 1)], path)
    assert path.read_bytes() == before
    (path.parent / "b.mid").mkdir()
    with pytest.raises(OSError):
        write_midi([Hit(0.0, 0, 1)], path.parent / "b.mid")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["a.mid", "b.mid"]


@pytest.mark.parametrize(
    ("hits", "options", "message"),
    [
        ([Hit(-0.001, 0, 1)], {}, r"a.mid: a hit at -0.001 s is outside 0..86400 s"),
        ([Hit(1e300, 0, 1)], {}, r"a hit at 1e\+300 s is outside"),
        ([Hit(80_000.0, 0, 1)], {"tempos": [(0, 1e6)]}, r"a gap of \d+ ticks is longer than MIDI can hold"),
        ([], {"tempos": [(-1.0, 120.0)]}, "a tempo at -1 s is outside"),
        ([], {"tempos": [(0.0, 3.5)]}, r"a tempo of 3.5 beats a minute is outside 3.58..6e7"),
        ([], {"tempos": [(0.0, float("nan"))]}, "a tempo of nan beats"),
        ([], {"time_signatures": [(0.0, 4, 3)]}, "a meter of 4/3 cannot be written"),
        ([], {"time_signatures": [(0.0, 0, 4)]}, "a meter of 0/4 cannot be written"),
        ([], {"time_signatures": [(-1.0, 4, 4)]}, "a meter at -1 s is outside"),
    ],
)
def test_what_midi_cannot_hold_is_refused(
    tmp_path: Path, hits: list[Hit], options: dict[str, list[tuple[float, float]]], message: str
) -> None:
    with pytest.raises(MidiError, match=message):
        write_midi(hits, tmp_path / "a.mid", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_unknown_note_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="notes 'xg' is neither 'gm' nor 'td17'"):
        write_midi([], tmp_path / "a.mid", notes="xg")  # type: ignore[arg-type]


# Other libraries

DENSE = [Hit(0.013 * i, i % 26, 1 + i % 127) for i in range(400)]


def test_pretty_midi_sees_every_hit_and_the_tempo() -> None:
    midi = to_pretty_midi(
        DENSE, notes="td17", tempos=[(0.0, 90.0), (2.0, 45.0)], time_signatures=[(0.0, 3, 4)]
    )
    (instrument,) = midi.instruments
    assert instrument.is_drum
    notes = sorted((note.start, note.pitch, note.velocity) for note in instrument.notes)
    for (start, pitch, velocity), hit in zip(notes, DENSE, strict=True):
        assert (pitch, velocity) == (DRUMS[hit.drum].td17_note, hit.velocity)
        assert abs(start - hit.time) <= HALF_TICK
    times, bpms = midi.get_tempo_changes()
    assert times == pytest.approx([0.0, 2.0], abs=0.001) and bpms == pytest.approx([90.0, 45.0], rel=1e-5)
    assert (midi.time_signature_changes[0].numerator, midi.time_signature_changes[0].denominator) == (3, 4)


def test_note_sequences_keep_exact_times_and_all_classes() -> None:
    tempos, meters = [(0.0, 100.0), (2.0, 160.0)], [(0.0, 5, 4)]
    sequence = to_note_sequence(DENSE, notes="td17", tempos=tempos, time_signatures=meters)
    assert all(note.is_drum and note.end_time > note.start_time for note in sequence.notes)
    assert sequence.total_time == max(note.end_time for note in sequence.notes)
    score = from_note_sequence(sequence, TD17)
    assert score.hits == tuple(DENSE)
    assert [bpm for _, bpm in score.tempos] == pytest.approx(
        [100.0, 160.0]
    ) and score.time_signatures == tuple(meters)


def test_note_sequences_merge_strokes_of_one_note_and_time() -> None:
    bow, edge = CLASS_INDEX["hihat_closed"], CLASS_INDEX["hihat_closed_edge"]
    sequence = to_note_sequence([Hit(1.0, bow, 50), Hit(1.0, edge, 90), Hit(1.02, bow, 40)])
    notes = [(note.pitch, note.start_time, note.end_time, note.velocity) for note in sequence.notes]
    assert notes == [(42, 1.0, 1.02, 90), (42, 1.02, 1.07, 40)]


def test_only_the_drums_of_a_note_sequence_are_read() -> None:
    sequence = to_note_sequence([Hit(1.0, 0, 50)])
    sequence.notes.add(pitch=38, velocity=80, start_time=0.5, end_time=1.0)
    assert from_note_sequence(sequence, TD17).hits == (Hit(1.0, 0, 50),)
    sequence.notes[0].is_drum = False
    assert from_note_sequence(sequence, TD17).hits == (Hit(0.5, 1, 80), Hit(1.0, 0, 50))
    sequence.notes[0].velocity = 0
    with pytest.raises(MidiError, match="note sequence: hit velocity 0 is outside 1..127"):
        from_note_sequence(sequence, TD17)


def test_note_seq_reads_every_hit_of_our_files() -> None:
    from note_seq.midi_io import midi_to_note_sequence

    file = BytesIO()
    to_pretty_midi(DENSE, notes="td17", tempos=[(0.0, 133.0)]).write(file)
    sequence = midi_to_note_sequence(file.getvalue())
    assert_same(from_note_sequence(sequence, TD17).hits, DENSE)


def test_notes_of_one_s_own_are_26_of_midi_s() -> None:
    assert note_numbers(tuple(range(102, 128))) == tuple(range(102, 128))
    for wrong in (tuple(range(103, 129)), tuple(range(-1, 25)), tuple(range(25))):
        with pytest.raises(ValueError, match="are not 26 numbers of 0..127"):
            note_numbers(wrong)
