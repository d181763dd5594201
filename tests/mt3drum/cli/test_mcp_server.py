"""`mt3drum mcp` as the protocol's own client sees it; the score it gives against eval's."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import soundfile

from eval.metrics.f_measure import f_measure
from mt3drum.cli import main
from mt3drum.formats.compare import compare
from tests.grooves import ROCK, played, steady
from tests.mt3drum.web.test_compare import scores
from tests.readers import check
from tests.synthetic import recording
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

HAT = CLASS_INDEX["hihat_closed"]


def test_it_counts_as_eval_does() -> None:
    pairs = scores(60)
    pairs.append(([Hit(0.5, HAT, 9)], [Hit(0.55, HAT, 9)], "26"))  # the window is inclusive
    pairs.append(([Hit(1.0, HAT, 9)], [Hit(1.0502, HAT, 9)], "26"))
    pairs.append(([Hit(1.0, CLASS_INDEX["aux1"], 9)], [], "5"))  # nothing to count
    for reference, estimate, scheme in pairs:
        wanted = f_measure({"x": reference}, {"x": estimate}, scheme=scheme)
        counted = {**wanted.classes, "all": wanted.micro}
        expected = {
            label: {"matched": c.tp, "missed": c.fn, "extra": c.fp, "f": round(c.f, 4)}
            for label, c in counted.items()
            if label == "all" or not c.empty
        }
        assert compare(reference, estimate, scheme) == expected
    with pytest.raises(ValueError, match="scheme '7' is not one of"):
        compare([], [], "7")


def test_the_official_client_calls_the_tools(tmp_path: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
    from mcp.client.stdio import stdio_client

    soundfile.write(tmp_path / "take.wav", recording(3, 3.0), 44_100)
    hits, _ = played(ROCK, 4, steady(120.0, 1.0), 4)
    write_midi(hits, tmp_path / "reference.mid")
    write_midi(hits[3:], tmp_path / "estimate.mid")

    async def talk() -> dict[str, Any]:
        command = mcp.StdioServerParameters(
            command=sys.executable, args=["-m", "mt3drum", "mcp", "--device", "cpu"]
        )
        async with stdio_client(command) as streams, mcp.ClientSession(*streams) as client:
            await client.initialize()
            tools = (await client.list_tools()).tools
            calls = {
                "transcribe": {
                    "path": str(tmp_path / "take.wav"),
                    "output": str(tmp_path / "out"),
                    "formats": "midi, json",
                },
                "info": {"path": str(tmp_path / "reference.mid")},
                "score": {
                    "reference": str(tmp_path / "reference.mid"),
                    "estimate": str(tmp_path / "estimate.mid"),
                },
            }
            found = {name: await client.call_tool(name, arguments) for name, arguments in calls.items()}
            found["missing"] = await client.call_tool("info", {"path": str(tmp_path / "none.wav")})
            found["format"] = await client.call_tool("transcribe", {**calls["transcribe"], "formats": "mp9"})
            return {"tools": tools, **found}

    with ThreadPoolExecutor(1) as pool:  # a browser of another test may hold this thread's loop
        found = pool.submit(asyncio.run, asyncio.wait_for(talk(), 120)).result()
    assert [tool.name for tool in found["tools"]] == ["transcribe", "info", "score"]
    assert all("path" in json.dumps(tool.model_dump(mode="json")) for tool in found["tools"][:2])

    def value(name: str) -> Any:
        answer = found[name].model_dump(mode="json", by_alias=True)
        assert not answer.get("isError"), answer
        return json.loads(answer["content"][0]["text"])

    transcribed = value("transcribe")
    assert transcribed["files"] == [str(tmp_path / "out" / f"take.{end}") for end in ("mid", "json")]
    written = json.loads((tmp_path / "out" / "take.json").read_text(encoding="utf-8"))["hits"]
    rows = [Hit(h["time"], CLASS_INDEX[h["drum"]], h["velocity"], h["confidence"]) for h in written]
    assert transcribed["hits"] == len(rows) > 5 and sum(transcribed["drums"].values()) == len(rows)
    check("midi", (tmp_path / "out" / "take.mid").read_bytes(), rows)
    assert value("info")["hits"] == len(hits) and value("info")["tempo"]["meter"] == "4/4"
    assert value("score")["all"]["missed"] == 3 and value("score")["all"]["extra"] == 0
    for name, text in (("missing", "none.wav"), ("format", "'mp9' is not one of midi")):
        answer = found[name].model_dump(mode="json", by_alias=True)
        assert answer["isError"] and text in answer["content"][0]["text"]


def test_without_the_extra_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importlib import util

    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert main.main(["mcp"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install 'mt3drum[mcp]'" in error
