"""Bundle the scripts of the static site: mt3drum/web/browser/src -> mt3drum/web/browser/bundle.

    python scripts/build_site.py

Needs npm. Types are checked first. Packages stay in build/browser; run it after a change of a source.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mt3drum.web.site import BUNDLES, NoPackages, install

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "mt3drum" / "web" / "browser" / "bundle"
PACKAGES = ROOT / "build" / "browser"


def ready(folder: Path = PACKAGES) -> Path:
    """A folder with the packages of the lock file and the sources of today; packages are fetched once.

    Raises:
        NoPackages: npm is not there, or fails.
    """
    source = BUNDLE.parent
    lock = (source / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".installed"
    if stamp.is_file() and stamp.read_bytes() == lock:
        (folder / "src").mkdir(exist_ok=True)
        for path in [*(source / "src").iterdir(), source / "tsconfig.json"]:
            target = folder / path.relative_to(source)
            target.write_bytes(path.read_bytes())
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    install(folder, development=True)
    stamp.write_bytes(lock)
    return folder


def build(packages: Path, target: Path) -> None:
    """Check the types and write the bundles.

    Raises:
        subprocess.CalledProcessError: a type is wrong, or a script cannot be bundled (`stdout` says why).
    """
    programs = packages / "node_modules" / ".bin"

    def run(*command: str | Path) -> None:
        subprocess.run(
            command, cwd=packages, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    run(programs / "tsc", "-p", ".")
    sources = [f"src/{name}" for name in BUNDLES]
    options = "--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=eof"
    run(programs / "esbuild", *sources, *options, f"--outdir={target}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    return argparse.ArgumentParser(description="Bundle the scripts of the static site.").parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parse(arguments)
    try:
        build(ready(), BUNDLE)
    except NoPackages as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {error.stdout}", file=sys.stderr)
        return 1
    for name in BUNDLES:
        print(f"{BUNDLE / name}: {(BUNDLE / name).stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
