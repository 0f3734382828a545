"""Installing adds our hooks, uninstalling takes them away, and nobody else's character moves."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.serving import agent_hook, hook_settings, json_edit
from debug_loop_pipeline.serving.hook_settings import hook_command, install, settings_file, status, uninstall

DATA = Path("/data of mine/.debug-loop")
EVENTS = ["UserPromptSubmit", "PostToolUseFailure", "SessionEnd"]
OTHERS = """{
    "$schema": "https://json.schemastore.org/claude-code-settings.json",
    "permissions": {"allow": ["Bash(ls:*)", "Read"], "deny": []},
    "hooks": {
        "PostToolUseFailure": [
            {"matcher": "Bash|Edit", "hooks": [{"type": "command", "command": "notify 'it failed'", "timeout": 1.50}]}
        ],
        "Stop": [ ]
    },

    "model": "op\\u0075s", "cleanupPeriodDays": 1e2
}
"""


def by_event(file: Path) -> dict[str, Any]:
    hooks: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["hooks"]
    return hooks


@pytest.mark.parametrize("content", [None, "", "{}", "{}\n", '{"model": "x"}'])
def test_into_settings_without_hooks(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / ".claude" / "settings.json"
    if content is not None:
        file.parent.mkdir()
        file.write_text(content, encoding="utf-8")
    assert install("claude-code", file, DATA)
    hooks = by_event(file)
    assert list(hooks) == EVENTS
    assert hooks["PostToolUseFailure"][0]["matcher"] == "*"
    assert [hook.state for hook in status("claude-code", file, DATA)] == ["installed"] * 3
    assert uninstall("claude-code", file)
    rest = json.loads(file.read_text(encoding="utf-8"))
    assert rest == (json.loads(content) if content else {})
    assert not uninstall("claude-code", file)


def test_what_others_wrote_stays_to_the_character_and_uninstalling_gives_it_back(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(OTHERS, encoding="utf-8")
    file.chmod(0o640)
    assert install("claude-code", file, DATA)
    text = file.read_text(encoding="utf-8")
    kept = iter(text)
    assert all(character in kept for character in OTHERS.replace("[ ]", "").replace(" ", "").replace("\n", ""))
    assert '"timeout": 1.50' in text
    assert '"op\\u0075s", "cleanupPeriodDays": 1e2' in text
    hooks = by_event(file)
    assert hooks["PostToolUseFailure"][0]["hooks"][0]["command"] == "notify 'it failed'"
    assert len(hooks["PostToolUseFailure"]) == 2
    assert file.stat().st_mode & 0o777 == 0o640
    (copy,) = tmp_path.glob("settings.json.before-debug-loop-*")
    assert copy.read_text(encoding="utf-8") == OTHERS
    assert not install("claude-code", file, DATA)
    assert len(list(tmp_path.iterdir())) == 2
    assert uninstall("claude-code", file)
    assert file.read_text(encoding="utf-8") == OTHERS


def test_another_installation_is_replaced_in_place(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    install("claude-code", file, Path("/elsewhere"))
    assert {hook.state for hook in status("claude-code", file, DATA)} == {"other"}
    assert install("claude-code", file, DATA)
    assert {hook.state for hook in status("claude-code", file, DATA)} == {"installed"}
    assert all(len(entries) == 1 for entries in by_event(file).values())


def test_ours_beside_theirs_in_one_entry_goes_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    theirs = {"type": "command", "command": "theirs"}
    ours = {"type": "command", "command": hook_command("claude-code", DATA)}
    file.write_text(json.dumps({"hooks": {"SessionEnd": [{"hooks": [theirs, ours]}]}}), encoding="utf-8")
    assert uninstall("claude-code", file)
    assert by_event(file) == {"SessionEnd": [{"hooks": [theirs]}]}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "// a comment\n{}",
        "[]",
        '{"hooks": []}',
        '{"hooks": {"Stop": {}}}',
        '{"hooks": {"Stop": [{"hooks": ["x"]}]}}',
    ],
)
def test_settings_that_are_not_understood_are_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(content, encoding="utf-8")
    for change in (lambda: install("claude-code", file, DATA), lambda: uninstall("claude-code", file)):
        with pytest.raises(DebugLoopError, match="left as it is"):
            change()
    assert file.read_text(encoding="utf-8") == content
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_into_dotfiles_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text('{\r\n\t"a": 1\r\n}\r\n', encoding="utf-8", newline="")
    link = tmp_path / "settings.json"
    link.symlink_to(real)
    assert install("claude-code", link, DATA)
    assert link.is_symlink()
    data = real.read_bytes().decode()
    assert '\r\n\t"hooks": {\r\n\t\t"UserPromptSubmit"' in data
    assert "\n" not in data.replace("\r\n", "")
    uninstall("claude-code", link)
    assert real.read_bytes() == b'{\r\n\t"a": 1\r\n}\r\n'


def test_the_command_survives_a_shell_and_never_blocks(tmp_path: Path) -> None:
    command = hook_command("claude-code", tmp_path / "it's a $HOME `dir`")
    words = shlex.split(command.partition(" 2>")[0])
    assert words[1:3] == ["-I", "-S"]
    assert words[5] == str(tmp_path / "it's a $HOME `dir`")
    gone = command.replace("agent_hook.py", "removed.py")
    for one in (command, gone, gone.replace(words[0], "/no/python")):
        done = subprocess.run(["sh", "-c", one], input=b"{}", capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_copilots_command_turns_advice_into_two_and_trouble_into_zero(tmp_path: Path) -> None:
    command = hook_command("copilot", tmp_path)
    script = f"exit {agent_hook.SPEAK}"
    for status_of_script, expected in ((agent_hook.SPEAK, 2), (0, 0), (2, 0), (1, 0), (127, 0)):
        script = f"sh -c 'exit {status_of_script}'" + command.partition("2>/dev/null")[2]
        assert subprocess.run(["sh", "-c", script], check=False).returncode == expected


def test_copilots_file_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPILOT_HOME", str(tmp_path / "copilot"))
    file = settings_file("copilot", None)
    assert file == tmp_path / "copilot" / "hooks" / "debug-loop.json"
    assert install("copilot", file, DATA)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["version"] == 1
    assert list(written["hooks"]) == ["postToolUseFailure", "sessionEnd"]
    assert not install("copilot", file, DATA)
    assert {hook.state for hook in status("copilot", file, DATA)} == {"installed"}
    assert uninstall("copilot", file)
    assert not file.exists()
    assert settings_file("copilot", tmp_path) == tmp_path / ".github" / "hooks" / "debug-loop.json"


def test_the_files_follow_the_agents_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    assert settings_file("claude-code", None) == tmp_path / "settings.json"
    assert settings_file("claude-code", tmp_path / "p") == tmp_path / "p" / ".claude" / "settings.json"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
HOOK = st.fixed_dictionaries({"type": st.just("command"), "command": st.text(max_size=8)})
ENTRY = st.fixed_dictionaries({"hooks": st.lists(HOOK, max_size=2)}, optional={"matcher": st.text(max_size=4)})
SETTINGS = st.dictionaries(st.text(max_size=4).filter(lambda key: key != "hooks"), VALUES, max_size=3).flatmap(
    lambda rest: st.one_of(
        st.just(rest),
        st.dictionaries(
            st.sampled_from([*EVENTS, "Stop"]), st.lists(ENTRY, min_size=1, max_size=2), min_size=1, max_size=3
        ).map(lambda hooks: {**rest, "hooks": hooks}),
    )
)


@settings(max_examples=150, deadline=None)
@given(
    content=SETTINGS,
    layout=st.sampled_from([None, 2, 4, "\t"]),
    ascii_only=st.booleans(),
    end=st.sampled_from(["", "\n"]),
)
def test_any_settings_come_back_as_they_were(
    content: dict[str, Any],
    layout: int | str | None,
    ascii_only: bool,
    end: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = json.dumps(content, indent=layout, ensure_ascii=ascii_only) + end
    changed = text
    for event, matcher in hook_settings._CLAUDE_EVENTS.items():
        changed = hook_settings._with_claude_hook(changed, event, matcher, hook_command("claude-code", DATA))
    added = json_edit.parse(changed)
    assert {key: value for key, value in added.items() if key != "hooks"} == {
        key: value for key, value in content.items() if key != "hooks"
    }
    for event, entries in content.get("hooks", {}).items():
        assert added["hooks"][event][: len(entries)] == entries
    assert hook_settings._without_claude_hooks(changed) == text
