"""The subcommand `mt3drum listen`: transcribe a microphone or a pipe while it is playing."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from mt3drum.batch.console import error, say, say_json
from mt3drum.batch.outputs import read_output
from mt3drum.cli import drum_options, model_options, notation_options
from mt3drum.cli.decode_options import add_decoding, decode_options
from mt3drum.cli.parser import add_json
from mt3drum.files import SUFFIX
from mt3drum.live.encodings import ENCODINGS
from tokenizer.drums import SCHEMES

if TYPE_CHECKING:
    from mt3drum.live.listener import Listener
    from mt3drum.live.midi_port import MidiPort
    from mt3drum.live.session import Arrivals, Session
    from mt3drum.live.sources import SoundSource
    from mt3drum.transcriber import Transcriber
    from tokenizer.hits import Hit
    from tokenizer.midi import Notes

EXIT_FAILED, EXIT_USAGE = 1, 2
PIPE = "-"
RATE, CHANNELS = 44_100, 1


class _Plan(NamedTuple):
    """The options, validated."""

    decoding: dict[str, Any]
    drums: frozenset[int]
    notes: Notes
    gain: float | None
    """Factor."""
    output: tuple[str, Path] | None
    """Format and file of the score."""


def add_parser(commands: Any) -> None:
    """Add it to the subparsers of the command `mt3drum`."""
    parser = commands.add_parser(
        "listen",
        help="transcribe a microphone or a pipe live",
        description="Transcribe a microphone, or WAV on standard input, while it is playing. Prints one JSON "
        "object per hit, about 1.5 s after it sounded. Ctrl-C ends and writes the score.",
        epilog="example: ffmpeg -i STREAM -f wav - | mt3drum listen -",
    )
    add = parser.add_argument
    add("source", nargs="?", choices=(PIPE,), help="standard input (default: the microphone)")
    add("--microphone", metavar="NAME|N", help="input device (default: the system's)")
    add("--raw", choices=ENCODINGS, help="standard input is raw PCM in this encoding, not WAV")
    add("--rate", type=int, metavar="HZ", help=f"sample rate of --raw (default: {RATE})")
    add("--channels", type=int, metavar="N", help=f"channels of --raw, interleaved (default: {CHANNELS})")
    add("--gain", type=float, metavar="DB", help="fixed gain (default: follows the loudest strokes so far)")
    add(
        "-o",
        "--output",
        metavar="FILE",
        help=f"at the end, write the score to this file: its suffix is one of {', '.join(SUFFIX.values())}",
    )
    add(
        "--notes",
        default="gm",
        metavar="NAME|FILE",
        help="MIDI note numbers of -o and --midi-out, as for mt3drum transcribe (default: gm)",
    )
    add("--midi-out", metavar="PORT", help="also play the hits on a MIDI port, in rhythm, 1.6 s late")
    drum_options.add_options(parser)
    model_options.add_options(parser)
    add_json(parser)
    add_decoding(parser)


def listen(args: argparse.Namespace) -> int:
    """Returns the exit code."""
    try:
        plan = _plan(args)
        midi = _midi_port(args, plan)
    except (ValueError, OSError, ImportError) as problem:
        error(str(problem))
        return EXIT_USAGE
    from mt3drum.transcriber import Transcriber

    try:
        transcriber = Transcriber.load(args.checkpoint, args.device, kit=args.kit, **plan.decoding)
        source = _open(args)
    except (ValueError, OSError, ImportError) as problem:
        error(str(problem))
        return EXIT_FAILED
    for warning in transcriber.kit.warnings if transcriber.kit else ():
        say(f"warning: {warning}", sys.stderr)
    _warm_up(transcriber)
    try:
        return _run(args, plan, transcriber, source, midi)
    finally:
        source.close()
        if midi is not None:
            midi.close()


def _plan(args: argparse.Namespace) -> _Plan:
    """
    Raises:
        ValueError: options are out of range or do not go together.
        OSError: the map of notes cannot be read.
    """
    if args.source is None and args.raw is not None:
        raise ValueError("--raw describes standard input: mt3drum listen - --raw ...")
    if args.raw is None and (args.rate is not None or args.channels is not None):
        raise ValueError("--rate and --channels apply to --raw only; a WAV file states its own")
    if args.source is not None and args.microphone is not None:
        raise ValueError("- is standard input and --microphone another source; give only one of them")
    if args.source is not None and sys.stdin.isatty():
        raise ValueError("standard input is a terminal; pipe audio into it, as in the example of --help")
    if args.gain is not None and not -60 <= args.gain <= 100:
        raise ValueError(f"--gain {args.gain:g} is outside -60..100 dB")
    output = None
    if args.output is not None:
        wanted = read_output(args.output, None, False)
        if wanted.file is None:
            raise ValueError(f"-o {args.output}: name a file, such as take.mid or take.json")
        if not wanted.file.absolute().parent.is_dir():
            raise ValueError(f"-o {args.output}: no such folder")
        output = (wanted.formats[0], wanted.file)
    gain = None if args.gain is None else 10 ** (args.gain / 20)
    notes, _ = notation_options.note_map(args.notes)
    return _Plan(decode_options(args), drum_options.chosen(args), notes, gain, output)


def _midi_port(args: argparse.Namespace, plan: _Plan) -> MidiPort | None:
    if args.midi_out is None:
        return None
    from mt3drum.live.midi_port import MidiPort
    from tokenizer.midi import note_numbers

    return MidiPort(args.midi_out, note_numbers(plan.notes))


def _open(args: argparse.Namespace) -> SoundSource:
    from mt3drum.live.pcm import Pcm
    from mt3drum.live.sources import MicrophoneSource, PipeSource

    if args.source is None:
        return MicrophoneSource(args.microphone)
    raw = None
    if args.raw is not None:
        rate = RATE if args.rate is None else args.rate
        raw = Pcm(args.raw, rate, CHANNELS if args.channels is None else args.channels)
    return PipeSource(cast(Any, sys.stdin.buffer).raw, raw)


class _Printer:
    """Prints hits as JSON lines and plays them; ends the recording when nobody reads them any more."""

    def __init__(self, scheme: str, source: SoundSource, midi: MidiPort | None) -> None:
        self.scheme, self.source, self.midi = scheme, source, midi
        self.unread = False

    def __call__(self, hits: list[Hit], arrivals: Arrivals) -> None:
        from mt3drum.formats.tables import to_jsonl
        from mt3drum.live.midi_port import DELAY

        if self.midi is not None:
            for hit in hits:
                self.midi.play(hit, arrivals.due(hit.time, DELAY))
        try:
            sys.stdout.write(to_jsonl(hits, self.scheme))
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.unread = True
            self.source.stop()


def _warm_up(transcriber: Transcriber) -> None:
    """The first segments take several times as long as later ones; the first hits are not to be late."""
    import numpy as np

    noise = np.random.default_rng(0).normal(0.0, 0.1, 2 * RATE)
    transcriber.transcribe_array(noise.astype(np.float32), RATE)


def _run(
    args: argparse.Namespace,
    plan: _Plan,
    transcriber: Transcriber,
    source: SoundSource,
    midi: MidiPort | None,
) -> int:
    from mt3drum.live.listener import Listener
    from mt3drum.live.session import Session

    printer = _Printer(transcriber.config.scheme, source, midi)
    listener = Listener(transcriber, source.name, plan.gain, keep=plan.output is not None)
    drums = SCHEMES[transcriber.config.scheme].written(plan.drums)
    session = Session(source, listener, drums, printer, lambda text: say(f"warning: {text}", sys.stderr))
    say(f"listening to {source.name} ({source.rate} Hz); Ctrl-C ends", sys.stderr)
    failure = None
    with _stopped_by_signals(source):
        try:
            session.run()
        except ValueError as problem:
            failure = str(problem)
            error(failure)
        files = _write(plan, listener) if plan.output is not None else ()
    record = _record(session, failure, files)
    if args.json:
        say_json(record, sys.stdout)
    for line in _as_text(record):
        say(line, sys.stderr)
    return EXIT_FAILED if failure or files is None or printer.unread else 0


@contextmanager
def _stopped_by_signals(source: SoundSource) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the sound, so that what was heard is still decoded and written; the
    second one interrupts that."""
    before: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        source.stop()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


def _write(plan: _Plan, listener: Listener) -> tuple[Path, ...] | None:
    """The files of the score; None where it could not be written."""
    from mt3drum.formats.options import ScoreOptions
    from mt3drum.formats.write import Rendering

    assert plan.output is not None
    rendering = Rendering(listener.result().only(plan.drums), plan.notes, ScoreOptions())
    try:
        written = rendering.write(dict([plan.output]))
    except OSError as problem:
        error(str(problem))
        return None
    for lack in written.lacks:
        error(f"{plan.output[1]}: {lack}")
    return None if written.missing else written.files


def _record(session: Session, failure: str | None, files: tuple[Path, ...] | None) -> dict[str, Any]:
    """What is said at the end, as plain values."""
    tally, listener = session.tally, session.listener
    name_of = SCHEMES[listener.config.scheme].name_of
    return {
        "source": session.source.name,
        "status": "done" if failure is None and files is not None else "failed",
        **({} if failure is None else {"reason": failure}),
        "files": [str(path) for path in files or ()],
        "hits": tally.hits,
        "seconds": round(listener.seconds, 3),
        "drums": {name_of(drum): count for drum, count in tally.drums.most_common()},
        "delay": round(tally.delay / max(1, tally.hits), 3),
        "longest_delay": round(tally.longest_delay, 3),
        "behind": round(tally.lag, 3),
        "lost": round(session.source.lost, 3),
        "cpu_share": round(tally.cpu / max(tally.elapsed, 1e-9), 4),
        "warnings": [*session.warnings, *listener.result().warnings],
    }


def _as_text(record: dict[str, Any]) -> Iterator[str]:
    for warning in record["warnings"]:
        yield f"warning: {warning}"
    drums = ", ".join(f"{name} {count}" for name, count in record["drums"].items())
    yield (
        f"{record['hits']} hits in {record['seconds']:.1f} s" + (f": {drums}" if drums else "") + f"; delay "
        f"{record['delay']:.2f} s on average, {record['longest_delay']:.2f} s at most; at most "
        f"{record['behind']:.2f} s behind; {100 * record['cpu_share']:.0f} % of one processor"
    )
    for file in record["files"]:
        yield f"wrote {file}"
