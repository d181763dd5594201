"""What the README's commands write into a checkout stays out of git."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_folders_that_the_readme_writes_are_ignored() -> None:
    ignored = set((ROOT / ".gitignore").read_text(encoding="utf-8").split())
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    folders = set(re.findall(r"(?:-o|--output) (\w+)(?=[\s/]|$)", "\n".join(blocks)))
    assert "out" in folders and {f"/{folder}/" for folder in folders} <= ignored
