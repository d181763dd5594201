"""Readers, on miniature copies of the published layouts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from data.corpora.readers import (
    COARSE_VELOCITY,
    Recording,
    by_performance,
    draw_by_performance,
    read_egmd,
    read_enst,
    read_folder,
    read_gmd,
    read_idmt_smt,
    read_mdb,
    read_rbma13,
    read_slakh_drums,
)
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit
from tokenizer.midi import write_midi


def write_notes(path: Path, notes: list[int], bpm: float = 120.0) -> None:
    """A MIDI file of one note every half second, on the drum channel; velocities 50, 51, ..."""
    path.parent.mkdir(parents=True, exist_ok=True)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    for number, note in enumerate(notes):
        gap = 0 if number == 0 else round(480 * bpm / 120)
        track.append(mido.Message("note_on", channel=9, note=note, velocity=50 + number, time=gap))
        track.append(mido.Message("note_off", channel=9, note=note, time=0))
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(str(path))


def write_audio(path: Path, seconds: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), np.zeros(round(44100 * seconds), np.float32), 44100)


def names(recording: Recording) -> list[str]:
    return [DRUMS[hit.drum].name for hit in recording.hits]


def times(recording: Recording) -> list[float]:
    return [round(hit.time, 6) for hit in recording.hits]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


GMD_HEAD = "drummer,session,id,style,bpm,beat_type,time_signature,midi_filename,audio_filename,duration,split"


@pytest.fixture
def groove(tmp_path: Path) -> Path:
    rows = [
        "drummer1,d1/s1,d1/s1/1,funk,138,beat,4-4,d1/s1/1_funk_138_beat_4-4.mid,,2.0,train",
        "drummer1,d1/s1,d1/s1/2,rock,90,fill,4-4,d1/s1/2_rock_90_fill_4-4.mid,d1/s1/2.wav,2.0,test",
    ]
    write(tmp_path / "info.csv", "\n".join([GMD_HEAD, *rows]))
    write_notes(tmp_path / "d1/s1/1_funk_138_beat_4-4.mid", [36, 22, 26, 99, 33], bpm=138)
    write_notes(tmp_path / "d1/s1/2_rock_90_fill_4-4.mid", [38, 58], bpm=90)
    write_audio(tmp_path / "d1/s1/2.wav")
    return tmp_path


def test_gmd_reads_performances_with_their_split(groove: Path) -> None:
    first, second = read_gmd(groove)
    assert (first.split, first.corpus, first.performance, first.bpm) == ("train", "gmd", "d1/s1/1", 138.0)
    assert (first.style, second.style) == ("funk", "rock")
    assert names(first) == ["kick", "hihat_closed_edge", "hihat_open_edge"]
    assert times(first) == pytest.approx([0.0, 0.5, 1.0], abs=1e-3)
    assert [hit.velocity for hit in first.hits] == [50, 51, 52]
    assert first.unmapped == {"99": 1} and first.excluded == {"33": 1}
    assert first.audio is None and first.licence == "CC BY 4.0"
    assert names(second) == ["snare_head", "tom3_rim"] and second.audio == groove / "d1/s1/2.wav"
    assert [recording.name for recording in read_gmd(groove, "test")] == ["d1/s1/2_rock_90_fill_4-4"]


def test_gmd_errors_name_file_and_row(groove: Path, tmp_path: Path) -> None:
    table = groove / "info.csv"
    text = table.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="split 'dev' is not one of"):
        read_gmd(groove, "dev")
    table.write_text(text.replace(",138,", ",fast,"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"info\.csv, row 2: bpm 'fast' is not a number"):
        read_gmd(groove)
    table.write_text(text.replace("1_funk_138_beat_4-4.mid", "gone.mid"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"info\.csv, row 2: d1/s1/gone\.mid does not exist"):
        read_gmd(groove)
    table.write_text(text.replace(",test", ",final"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"row 3: split 'final' is not one of"):
        read_gmd(groove)
    table.write_text(text.replace("bpm", "tempo"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"info\.csv: no column bpm"):
        read_gmd(groove)
    with pytest.raises(ValueError, match=r"info\.csv does not exist"):
        read_gmd(tmp_path / "nowhere")


@pytest.fixture
def egmd(tmp_path: Path) -> Path:
    """Two performances, five kits each; one kit sends a remapped note."""
    rows = [GMD_HEAD + ",kit_name"]
    for performance, split in ((1, "train"), (2, "test")):
        for kit in range(5):
            stem = f"drummer1/session1/{performance}_rock_120_beat_4-4_{kit}"
            row = f"drummer1,drummer1/session1,drummer1/session1/{performance},rock,120,beat,4-4"
            rows.append(f'{row},{stem}.midi,{stem}.wav,1.0,{split},"Kit, no. {kit}"')
            write_notes(tmp_path / f"{stem}.midi", [36, 56 if kit == 4 else 47])
            write_audio(tmp_path / f"{stem}.wav")
    write(tmp_path / "e-gmd-v1.0.0.csv", "\n".join(rows))
    return tmp_path


def test_egmd_is_grouped_by_performance(egmd: Path) -> None:
    recordings = read_egmd(egmd)
    groups = by_performance(recordings)
    assert {name: len(group) for name, group in groups.items()} == {
        "drummer1/session1/1": 5,
        "drummer1/session1/2": 5,
    }
    assert recordings[0].kit == "Kit, no. 0" and recordings[0].audio is not None
    assert names(recordings[4]) == ["kick", "aux2"] and names(recordings[3]) == ["kick", "tom2_rim"]
    assert {recording.split for recording in groups["drummer1/session1/2"]} == {"test"}


def test_egmd_reads_a_few_kits_of_each_performance(egmd: Path) -> None:
    few = read_egmd(egmd, kits_per_performance=2, seed=1)
    assert {name: len(group) for name, group in by_performance(few).items()} == {
        "drummer1/session1/1": 2,
        "drummer1/session1/2": 2,
    }
    assert few == read_egmd(egmd, kits_per_performance=2, seed=1)
    with pytest.raises(ValueError, match=r"no e-gmd-\*\.csv here"):
        read_egmd(egmd / "drummer1")


def test_draws_are_even_over_performances_not_files() -> None:
    def recording(performance: str, kit: int) -> Recording:
        return Recording(f"{performance}{kit}", None, (), "train", "egmd", performance, str(kit), "")

    groups = by_performance([recording("a", kit) for kit in range(43)] + [recording("b", 0)])
    rng = np.random.default_rng(0)
    count = Counter(draw_by_performance(groups, rng).performance for _ in range(400))
    assert 160 < count["b"] < 240


def test_folder_pairs_audio_and_midi(tmp_path: Path) -> None:
    write_audio(tmp_path / "a" / "song.wav")
    write_notes(tmp_path / "a" / "song.mid", [36, 42, 3])
    write_notes(tmp_path / "alone.mid", [36])
    (recording,) = read_folder(tmp_path, "gm", split="validation")
    assert (recording.name, recording.split) == ("a/song", "validation")
    assert names(recording) == ["kick", "hihat_closed"] and recording.unmapped == {"3": 1}
    with pytest.raises(ValueError, match=r"found no audio files with a \.mid of the same name"):
        read_folder(tmp_path / "b")


def make_mdb(root: Path) -> None:
    write(
        root / "annotations/class/MusicDelta_Punk_class.txt",
        "0.020000 \t CY \n0.022449 \t SD \n0.5 \t OT \n0.6 \t XX\n\n",
    )
    write(root / "annotations/subclass/MusicDelta_Punk_subclass.txt", "0.02\tCRC\n0.022449\tSDG\n0.5\tSST\n")
    write(root / "annotations/class/MusicDelta_Zeppelin_class.txt", "0.1 KD\n")
    write_audio(root / "audio/drum_only/MusicDelta_Punk_Drum.wav")
    write_audio(root / "audio/drum_only/MusicDelta_Zeppelin_Drum.wav")
    write_audio(root / "audio/full_mix/MusicDelta_Punk_MIX.wav")


@pytest.mark.parametrize("folder", ["MDB Drums", "."])
def test_mdb_published_layout_and_development_layout(tmp_path: Path, folder: str) -> None:
    make_mdb(tmp_path / folder)
    punk, zeppelin = read_mdb(tmp_path)
    assert punk.name == "MusicDelta_Punk" and names(punk) == ["crash1", "snare_head"]
    assert times(punk) == [0.02, 0.022449]
    assert {hit.velocity for hit in punk.hits} == {COARSE_VELOCITY}
    assert punk.unmapped == {"XX": 1} and punk.excluded == {"OT": 1}
    assert names(zeppelin) == ["kick"]
    assert [recording.name for recording in read_mdb(tmp_path, mix="full_mix")] == ["MusicDelta_Punk"]
    (fine,) = read_mdb(tmp_path, annotation="subclass")
    assert names(fine) == ["crash1", "snare_head", "snare_cross_stick"]
    with pytest.raises(ValueError, match="with audio in audio/pseudo_mix"):
        read_mdb(tmp_path, mix="pseudo_mix")
    with pytest.raises(ValueError, match="annotation 'beats' is not one of class, subclass, midi"):
        read_mdb(tmp_path, annotation="beats")
    with pytest.raises(ValueError, match="mix 'loud' is not one of"):
        read_mdb(tmp_path, mix="loud")


def test_mdb_read_from_the_second_annotators_midi(tmp_path: Path) -> None:
    make_mdb(tmp_path)
    folder = tmp_path / "annotations/midi_reannotated"
    folder.mkdir()
    hits = [Hit(0.5, CLASS_INDEX["kick"], 31), Hit(0.75, CLASS_INDEX["hihat_open"], 99)]
    write_midi(hits, folder / "MusicDelta_Punk_Drum.mid", notes="gm")
    (punk,) = read_mdb(tmp_path, annotation="midi")
    assert punk.name == "MusicDelta_Punk" and punk.split == "test"
    assert punk.audio == tmp_path / "audio/drum_only/MusicDelta_Punk_Drum.wav"
    assert [(DRUMS[hit.drum].name, hit.velocity) for hit in punk.hits] == [("kick", 31), ("hihat_open", 99)]
    with pytest.raises(
        ValueError, match=r"annotations/midi_reannotated/\*_Drum\.mid with audio in audio/pseudo"
    ):
        read_mdb(tmp_path, annotation="midi", mix="pseudo_mix")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0.1 KD extra", r"row 2: expected 'seconds label', found '0.1 KD extra'"),
        ("soon KD", r"row 2: 'soon' is not a time in seconds"),
        ("nan KD", r"row 2: 'nan' is not a time in seconds"),
        ("-1 KD", r"row 2: '-1' is not a time in seconds"),
    ],
)
def test_annotation_errors_name_file_row_and_text(tmp_path: Path, row: str, message: str) -> None:
    make_mdb(tmp_path)
    write(tmp_path / "annotations/class/MusicDelta_Punk_class.txt", f"0.02 KD\n{row}\n")
    with pytest.raises(ValueError, match=r"MusicDelta_Punk_class\.txt, " + message):
        read_mdb(tmp_path)


def test_enst_layout(tmp_path: Path) -> None:
    text = "0.5 bd\n0.7 cs\n0.9 c1\n1.0 sticks\n1.1 zz\n"
    write(tmp_path / "drummer_1/annotation/001_hits_snare-drum_sticks_x6.txt", text)
    write_audio(tmp_path / "drummer_1/audio/wet_mix/001_hits_snare-drum_sticks_x6.wav")
    (recording,) = read_enst(tmp_path)
    assert names(recording) == ["kick", "snare_cross_stick", "crash1"]
    assert recording.name == "drummer_1/001_hits_snare-drum_sticks_x6"
    assert recording.unmapped == {"zz": 1} and recording.excluded == {"sticks": 1}


def test_rbma13_layout(tmp_path: Path) -> None:
    write(tmp_path / "annotations/drums/RBMA-13-Track-01.txt", "0.5\t0\n0.7\t1\n0.9\t2\n1.1\t49\n")
    write_audio(tmp_path / "audio/RBMA-13-Track-01.flac")
    (recording,) = read_rbma13(tmp_path)
    assert names(recording) == ["kick", "snare_head", "hihat_closed", "crash1"]


def test_idmt_smt_layout(tmp_path: Path) -> None:
    event = "<event><pitch>1</pitch><onsetSec>{}</onsetSec><instrument>{}</instrument></event>"
    body = event.format(0.25, "HH") + event.format(0.125, "KD") + event.format(0.5, "??")
    xml = f"<instrumentRecording><transcription>{body}</transcription></instrumentRecording>"
    path = write(tmp_path / "annotation_xml/RealDrum01_00#MIX.xml", xml)
    write_audio(tmp_path / "audio/RealDrum01_00#MIX.wav")
    (recording,) = read_idmt_smt(tmp_path)
    assert names(recording) == ["kick", "hihat_closed"] and times(recording) == [0.125, 0.25]
    assert recording.name == "RealDrum01_00" and recording.unmapped == {"??": 1}
    write(path, xml.replace("0.125", "late"))
    with pytest.raises(ValueError, match=r"#MIX\.xml, row 2: 'late' is not a time"):
        read_idmt_smt(tmp_path)
    write(path, xml[:-5])
    with pytest.raises(ValueError, match=r"#MIX\.xml: not XML"):
        read_idmt_smt(tmp_path)


def test_slakh_layout(tmp_path: Path) -> None:
    track = tmp_path / "validation" / "Track00001"
    write(
        track / "metadata.yaml",
        "stems:\n  S00: {is_drum: false}\n  S01: {is_drum: true}\n  S02: {is_drum: true}\n",
    )
    write_notes(track / "MIDI/S00.mid", [36])
    write_notes(track / "MIDI/S01.mid", [36, 38, 39])
    write_notes(track / "MIDI/S02.mid", [54])
    write_audio(track / "mix.flac")
    write_audio(track / "stems/S01.flac")
    (mix,) = read_slakh_drums(tmp_path)
    assert mix.split == "validation" and sorted(names(mix)) == ["aux1", "aux1", "kick", "snare_head"]
    (stem,) = read_slakh_drums(tmp_path, audio="drums")
    assert stem.audio == track / "stems/S01.flac" and names(stem) == ["kick", "snare_head", "aux1"]
    write(track / "metadata.yaml", "stems: [")
    with pytest.raises(ValueError, match=r"metadata\.yaml"):
        read_slakh_drums(tmp_path)
