"""A blind listening test of two systems: a page with excerpts, and what its votes say.

    python scripts/listening_test.py ours theirs --audio recordings -o test.html
    python scripts/listening_test.py ours theirs --audio recordings --votes votes.json

`ours` and `theirs` are folders of transcriptions (MIDI, JSON, text) with the names of the recordings. Each
trial plays an excerpt of the recording and both transcriptions, by the same drum sounds, as X and Y. Which is
which is decided by the seed and is not in the page. The page exports the votes as a JSON file; the second
command reads it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
import soundfile

from eval.inputs.annotations import read_folder
from mt3drum.audio.recording import AudioError, open_file
from mt3drum.config import SAMPLE_RATE
from mt3drum.files import AUDIO_SUFFIXES, write_whole
from mt3drum.formats.wav import to_wav
from tokenizer.hits import Hit
from tokenizer.maps import find_label_map

CHOICES = ("X", "Y", "same")
Hits = Mapping[str, Sequence[Hit]]


@dataclass(frozen=True)
class Excerpt:
    """One excerpt."""

    track: str
    start: float
    """Seconds."""
    swapped: bool
    """X is the second system."""


def plan(seconds: Mapping[str, float], trials: int, length: float, seed: int) -> list[Excerpt]:
    """Excerpts of all recordings in turn, at random places, each system X in half of them (or one more)."""
    rng = np.random.default_rng(seed)
    tracks = rng.permutation(sorted(seconds)).tolist()
    swapped = rng.permutation(np.arange(trials) % 2 == 0).tolist()
    found = []
    for number in range(trials):
        track = tracks[number % len(tracks)]
        start = round(float(rng.uniform(0, max(0.0, seconds[track] - length))), 2)
        found.append(Excerpt(track, start, bool(swapped[number])))
    return found


def identity(trials: Sequence[Excerpt], systems: Sequence[str]) -> str:
    """Of a test: votes of another one are refused. Says nothing of who is X."""
    text = json.dumps([[(t.track, t.start, t.swapped) for t in trials], list(systems)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def excerpt(hits: Sequence[Hit], start: float, length: float) -> np.ndarray:
    """The score of a stretch as sound, mono float32."""
    inside = [replace(h, time=h.time - start) for h in sorted(hits) if start <= h.time < start + length]
    audio, _ = soundfile.read(io.BytesIO(to_wav(inside, length, None)), dtype="float32")
    return np.asarray(audio[: round(length * SAMPLE_RATE)])


def page(trials: Sequence[Excerpt], test: str, sounds: Sequence[tuple[np.ndarray, ...]]) -> str:
    """The page; `sounds` are recording, X and Y of every trial."""
    sections = []
    for number, three in enumerate(sounds, 1):
        players = "".join(
            f"<p>{name} <audio controls preload='none' src='{_source(audio)}'></audio></p>"
            for name, audio in zip(("Recording", "X", "Y"), three, strict=True)
        )
        buttons = "".join(
            f"<label><input type='radio' name='t{number}' value='{choice}'> "
            f"{'no difference' if choice == 'same' else choice + ' is closer'}</label> "
            for choice in CHOICES
        )
        sections.append(f"<section><h2>{number} of {len(trials)}</h2>{players}<p>{buttons}</p></section>")
    return _PAGE.replace("{test}", escape(test)).replace("{sections}", "\n".join(sections))


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Listening test</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:640px;margin:2rem auto;padding:0 1rem}
section{border-top:1px solid #ccc;padding:.5rem 0}h2{font-size:1rem}
audio{vertical-align:middle;width:420px;max-width:80%}
label{margin-right:1rem}button{font:inherit;padding:.4rem 1rem}</style>
<h1>Listening test</h1>
<p>Which transcription is closer to what the drums of the recording play? The drum sounds themselves do not
matter.</p>
{sections}
<p><button id="save">Export votes</button> <span id="left"></span></p>
<script>
const test = "{test}";
document.getElementById("save").onclick = () => {
  const trials = [...document.querySelectorAll("section")];
  const votes = trials.map(trial => trial.querySelector("input:checked")?.value ?? null);
  const left = votes.filter(v => v === null).length;
  document.getElementById("left").textContent = left ? left + " without a vote" : "";
  const file = new Blob([JSON.stringify({test, votes})], {type: "application/json"});
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "votes.json";
  link.click();
};
</script></html>
"""


def _source(audio: np.ndarray) -> str:
    target = io.BytesIO()
    loudest = max(1e-6, float(np.abs(audio).max(initial=0.0)))
    soundfile.write(target, 0.8 * audio / loudest, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    return "data:audio/ogg;base64," + base64.b64encode(target.getvalue()).decode()


def count_votes(files: Sequence[Path], trials: Sequence[Excerpt], test: str) -> Counter[str]:
    """Votes for `first`, `second` and `same` of all files.

    Raises:
        ValueError, OSError: a file is no votes of this test.
    """
    found: Counter[str] = Counter()
    for path in files:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            votes = values["votes"]
            known = len(votes) == len(trials) and all(vote in (*CHOICES, None) for vote in votes)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}: no votes of a listening test ({error})") from None
        if not known or values.get("test") != test:
            raise ValueError(f"{path}: votes of another test; give the same folders, audio, trials and seed")
        for vote, trial in zip(votes, trials, strict=True):
            if vote == "same":
                found["same"] += 1
            elif vote is not None:
                found["second" if (vote == "X") == trial.swapped else "first"] += 1
    return found


def verdict(votes: Counter[str], systems: Sequence[str]) -> str:
    """How often the first system won, of the votes that decide, with the 95 % interval of Wilson (1927)."""
    from scipy.stats import binomtest

    won, decided = votes["first"], votes["first"] + votes["second"]
    line = f"{systems[0]} {won}, {systems[1]} {votes['second']}, no difference {votes['same']}"
    if not decided:
        return f"{line}; nothing is decided"
    low, high = binomtest(won, decided).proportion_ci(0.95, "wilson")
    better = systems[0] if low > 0.5 else systems[1] if high < 0.5 else None
    said = f"{better} is preferred" if better else "cannot be told apart"
    share = f"{100 * won / decided:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
    return f"{line}; {systems[0]} is closer in {share}: {said}"


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", type=Path, help="folder of transcriptions")
    parser.add_argument("second", type=Path, help="folder of the other system's")
    parser.add_argument("--audio", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.html", help="write the page")
    parser.add_argument("--votes", type=Path, nargs="+", metavar="FILE", help="count exported votes")
    parser.add_argument("--label-map", default="gm", help="label map of both folders (default: gm)")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of an excerpt (default: 8)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def inputs(args: argparse.Namespace) -> tuple[dict[str, np.ndarray], Hits, Hits]:
    """Recordings, mono at 44.1 kHz, and hits of both systems, of the tracks that all three have.

    Raises:
        ValueError, OSError, AudioError: something cannot be read, or there is no such track.
    """
    labels = find_label_map(args.label_map)
    first, second = (
        {name: a.hits for name, a in read_folder(folder, labels).items()}
        for folder in (args.first, args.second)
    )
    files = {p.stem: p for p in sorted(args.audio.rglob("*")) if p.suffix.lower() in AUDIO_SUFFIXES}
    common = sorted(files.keys() & first.keys() & second.keys())
    if not common:
        raise ValueError(f"no recording in {args.audio} has a transcription of its name in both folders")
    return {name: np.concatenate(list(open_file(files[name]).blocks())) for name in common}, first, second


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        if (args.output is None) == (args.votes is None) or args.trials < 1 or not 1 <= args.seconds <= 60:
            raise ValueError("give -o FILE.html or --votes FILE, at least 1 trial, 1 to 60 seconds")
        audio, first, second = inputs(args)
        lengths = {name: len(samples) / SAMPLE_RATE for name, samples in audio.items()}
        trials = plan(lengths, args.trials, args.seconds, args.seed)
        systems = [str(args.first), str(args.second)]
        test = identity(trials, systems)
        if args.votes:
            print(verdict(count_votes(args.votes, trials, test), systems))
            return 0
        sounds = []
        for trial in trials:
            begin = round(trial.start * SAMPLE_RATE)
            played = audio[trial.track][begin : begin + round(args.seconds * SAMPLE_RATE)]
            both = [excerpt(hits[trial.track], trial.start, args.seconds) for hits in (first, second)]
            sounds.append((played, *(both[::-1] if trial.swapped else both)))
        write_whole(args.output, page(trials, test, sounds))
    except (ValueError, OSError, AudioError) as error:
        print(f"listening_test: {error}", file=sys.stderr)
        return 1
    print(f"{args.output}: {len(trials)} trials of {len(audio)} recordings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
