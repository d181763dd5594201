"""The subcommand `mt3drum doctor`: what is installed, what is missing, and how fast this machine is."""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any, NamedTuple

from mt3drum.batch.console import say, say_json
from mt3drum.cli.parser import add_json

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from mt3drum.transcriber import Transcriber

EXIT_FAILED = 1
SECONDS = 42.0
"""Seconds of audio for the speed measurement: the demo clip, repeated."""
_FFMPEG = {  # the first of these programs that exists installs it
    "apt-get": "sudo apt-get install ffmpeg",
    "dnf": "sudo dnf install ffmpeg-free",
    "pacman": "sudo pacman -S ffmpeg",
    "apk": "sudo apk add ffmpeg",
    "brew": "brew install ffmpeg",
    "winget": "winget install Gyan.FFmpeg",
}
_FOR_DEVELOPERS = frozenset({"dev", "fuzz"})


class Lack(NamedTuple):
    """A missing package or program."""

    what: str
    needed: bool
    """Whether nothing works without it."""
    remedy: str


def add_parser(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation: versions, devices, speed and missing parts",
        description="Check the installation: versions, ffmpeg, devices, optional parts with the command that "
        "installs each, and the speed on the demo clip. Exit code 1: mt3drum cannot transcribe.",
    )
    add_json(parser)


def doctor(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    installed, extras, lacks = packages()
    record: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": installed,
        "extras": extras,
        "ffmpeg": ffmpeg_version(),
    }
    if record["ffmpeg"] is None:
        remedy = next((how for tool, how in _FFMPEG.items() if shutil.which(tool)), "https://ffmpeg.org")
        lacks.append(
            Lack("ffmpeg: for M4A, video and other files that libsndfile cannot read", False, remedy)
        )
    try:
        record |= trial()
    except (ImportError, OSError, ValueError, RuntimeError) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        lacks.append(Lack(f"transcription fails: {reason}", True, "pip install --force-reinstall mt3drum"))
    if "devices" in record and shutil.which("nvidia-smi") and len(record["devices"]) == 1:
        lacks.append(Lack("PyTorch with CUDA: to use this machine's GPU", False, "pip install -U torch"))
    record["missing"] = [lack._asdict() for lack in lacks]
    if args.json:
        say_json(record, sys.stdout)
    else:
        for line in as_text(record):
            say(line, sys.stdout)
    return EXIT_FAILED if any(lack.needed for lack in lacks) else 0


def packages() -> tuple[dict[str, str], list[str], list[Lack]]:
    """Versions of the core's requirements, the installed extras, and what the other extras lack."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in metadata.requires("mt3drum") or ()]
    core = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    versions = {
        name: metadata.version(name) for name in ("mt3drum", *(one.name for one in core if _has(one)))
    }
    absent = [_told(one) for one in core if not _has(one)]
    lacks = [Lack(f"core: {', '.join(absent)}", True, "pip install mt3drum")] if absent else []
    installed = []
    for extra in metadata.metadata("mt3drum").get_all("Provides-Extra") or []:
        if extra in _FOR_DEVELOPERS:
            continue
        own = [
            one for one in wanted if one not in core and one.marker and one.marker.evaluate({"extra": extra})
        ]
        absent = [_told(one) for one in own if not _has(one)]
        if absent:
            lacks.append(Lack(f"{extra}: {', '.join(absent)}", False, f"pip install 'mt3drum[{extra}]'"))
        else:
            installed.append(extra)
    return versions, installed, lacks


def _version(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def _has(requirement: Requirement) -> bool:
    version = _version(requirement)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _told(requirement: Requirement) -> str:
    version = _version(requirement)
    return f"{requirement.name}{requirement.specifier}" + (f" (here is {version})" if version else "")


def ffmpeg_version() -> str | None:
    """Version of ffmpeg, if both ffmpeg and ffprobe are installed."""
    from mt3drum.audio.ffmpeg import programs

    tools = programs()
    if tools is None:
        return None
    try:
        run = subprocess.run([tools[0], "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"ffmpeg version (\S+)", run.stdout)
    return found[1] if found else "unknown"


def trial() -> dict[str, Any]:
    """Available devices, and the speed at which each transcribes the demo clip.

    Raises:
        ImportError, OSError, ValueError, RuntimeError: transcription failed.
    """
    import torch

    from mt3drum.transcriber import Transcriber

    devices = [{"name": "cpu", "threads": torch.get_num_threads()}]
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        devices.append({"name": f"cuda:{number}", "model": torch.cuda.get_device_name(number)})
    for device in devices[:2]:
        transcriber = Transcriber.load(device=str(device["name"]))
        device["precision"] = str(transcriber.model.dtype).removeprefix("torch.")
        device |= speed(transcriber)
    return {"devices": devices}


def speed(transcriber: Transcriber) -> dict[str, float]:
    """Seconds of audio per second of processor time (over all threads), and per second of wall time.

    Raises:
        ValueError: there are no hits in a clip of drums.
    """
    import numpy as np
    import soundfile

    clip, rate = soundfile.read(str(resources.files("mt3drum") / "assets" / "demo.ogg"), dtype="float32")
    if not transcriber.transcribe_array(clip, rate).hits:  # also warms up
        raise ValueError("no hit in the demo clip")
    sound = np.tile(clip, round(SECONDS * rate / len(clip)))
    cpu, clock = time.process_time(), time.perf_counter()
    seconds = transcriber.transcribe_array(sound, rate).seconds
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return {"audio_per_cpu_second": round(seconds / cpu, 2), "audio_per_second": round(seconds / clock, 2)}


def as_text(record: dict[str, Any]) -> Iterator[str]:
    """The record as lines for people."""
    own = record["packages"]
    yield f"version   mt3drum {own['mt3drum']}, Python {record['python']}, {record['system']}"
    yield "packages  " + ", ".join(f"{name} {own[name]}" for name in sorted(own) if name != "mt3drum")
    yield f"extras    {', '.join(record['extras']) or 'none'}"
    if record["ffmpeg"]:
        yield f"ffmpeg    {record['ffmpeg']}"
    for device in record.get("devices", ()):
        about = device.get("model") or f"{device['threads']} threads"
        yield f"device    {device['name']}: {about}" + (
            f", {device['precision']}; {device['audio_per_cpu_second']:.1f} s of audio per CPU-second, "
            f"{device['audio_per_second']:.1f} per second"
            if "audio_per_second" in device
            else ""
        )
    for lack in record["missing"]:
        kind = "missing  " if lack["needed"] else "optional "
        yield f"{kind} {lack['what']}; install: {lack['remedy']}"
    if not any(lack["needed"] for lack in record["missing"]):
        yield "ready to transcribe"
