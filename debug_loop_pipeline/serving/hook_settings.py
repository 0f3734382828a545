"""Our hooks in the settings of agents: in, out and told, with everything of others as it was.

Claude Code: entries under `hooks` of `settings.json` (LOG_FORMATS 10). Copilot CLI: a file of our own in its folder of hooks. Not
here: what a hook does (`agent_hook`), how a text is changed (`json_edit`).
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.serving import agent_hook, json_edit
from debug_loop_pipeline.serving.address import socket_path

AGENTS = ("claude-code", "copilot")
_SCRIPT = Path(agent_hook.__file__).resolve()
_TIMEOUT_S = 5
_CLAUDE_EVENTS: dict[str, str | None] = {"UserPromptSubmit": None, "PostToolUseFailure": "*", "SessionEnd": None}
"""Event -> matcher. Every tool that fails: tests run in shells and in tools of MCP servers alike."""
_COPILOT_EVENTS = ("postToolUseFailure", "sessionEnd")
"""Copilot drops what hooks say at a prompt, so it is not asked there."""
_COPILOT_FILE = "debug-loop.json"


@dataclass(frozen=True, slots=True)
class HookStatus:
    """One hook of an agent's settings. state: installed, missing, or other (ours, but of another installation)."""

    event: str
    state: str
    command: str | None = None


def settings_file(agent: str, project: Path | None) -> Path:
    """The file that holds the hooks: the user's, or that of a project's folder."""
    if agent == "claude-code":
        configured = os.environ.get("CLAUDE_CONFIG_DIR")
        own = Path(configured) if configured else Path.home() / ".claude"
        return (project / ".claude" if project else own) / "settings.json"
    if project:
        return project / ".github" / "hooks" / _COPILOT_FILE
    configured = os.environ.get("COPILOT_HOME")
    return (Path(configured) if configured else Path.home() / ".copilot") / "hooks" / _COPILOT_FILE


def hook_command(agent: str, data_dir: Path) -> str:
    """The shell command of a hook.

    Its last word is 0 whatever happens: an interpreter that is not there any more ends with 127, one that does not find the
    script with 2, and 2 would block the agent. Copilot CLI takes advice on a failure with 2; the script asks for it with a status
    that nothing else ends with.
    """
    parts = [sys.executable, "-I", "-S", str(_SCRIPT), agent, str(data_dir), str(socket_path(data_dir))]
    command = f"{shlex.join(parts)} 2>/dev/null"
    if agent == "copilot":
        return f"{command}; [ $? -eq {agent_hook.SPEAK} ] && exit 2; exit 0"
    return f"{command} || true"


def install(agent: str, file: Path, data_dir: Path) -> bool:
    """Brings our hooks into a settings file. Returns False where they stand there already.

    Raises:
        DebugLoopError: the file is not what its agent would read; it is left as it is.
    """
    command = hook_command(agent, data_dir)
    if agent == "copilot":
        entry = {"type": "command", "bash": command, "timeoutSec": _TIMEOUT_S}
        text = json.dumps({"version": 1, "hooks": {event: [entry] for event in _COPILOT_EVENTS}}, indent=2)
        return _write(file, _read(file), text + "\n")
    before = _read(file)
    text = before if before.strip() else "{}\n"
    _check(file, text)
    for event, matcher in _CLAUDE_EVENTS.items():
        text = _with_claude_hook(text, event, matcher, command)
    return _write(file, before, text)


def uninstall(agent: str, file: Path) -> bool:
    """Takes our hooks out of a settings file, whichever installation put them there. Returns False where there are none.

    Raises:
        DebugLoopError: the file is not what its agent would read; it is left as it is.
    """
    before = _read(file)
    if not before.strip():
        return False
    if agent == "copilot":
        if not _is_ours(before):
            raise DebugLoopError(f"{file} is not ours: it does not call {_SCRIPT.name}; left as it is")
        _back_up(file, before)
        file.unlink()
        return True
    _check(file, before)
    return _write(file, before, _without_claude_hooks(before))


def status(agent: str, file: Path, data_dir: Path) -> list[HookStatus]:
    """What a settings file says about each of our hooks.

    Raises:
        DebugLoopError: the file is not what its agent would read.
    """
    text = _read(file)
    events = list(_CLAUDE_EVENTS) if agent == "claude-code" else list(_COPILOT_EVENTS)
    hooks: Any = {}
    if text.strip():
        _check(file, text)
        hooks = json_edit.parse(text.removeprefix("\ufeff")).get("hooks", {})
    expected = hook_command(agent, data_dir)
    found = []
    for event in events:
        entries = hooks.get(event, [])
        flat = entries if agent == "copilot" else [hook for entry in entries for hook in entry.get("hooks", ())]
        ours = [c for hook in flat for c in (hook.get("command") or hook.get("bash"),) if _is_ours(c)]
        state = "missing" if not ours else "installed" if ours == [expected] else "other"
        found.append(HookStatus(event, state, ours[0] if ours else None))
    return found


def _is_ours(command: object) -> bool:
    return isinstance(command, str) and f"{_SCRIPT.parent.name}/{_SCRIPT.name}" in command


def _with_claude_hook(text: str, event: str, matcher: str | None, command: str) -> str:
    hook = {"type": "command", "command": command, "timeout": _TIMEOUT_S}
    entry: dict[str, Any] = {"hooks": [hook]} if matcher is None else {"matcher": matcher, "hooks": [hook]}
    top = json_edit.root(text)
    hooks = json_edit.child(text, top, "hooks")
    if hooks is None:
        return json_edit.append(text, top, {event: [entry]}, "hooks")
    entries = json_edit.child(text, hooks.value_start, event)
    if entries is None:
        return json_edit.append(text, hooks.value_start, [entry], event)
    for one in json_edit.children(text, entries.value_start):
        inside = json_edit.child(text, one.value_start, "hooks")
        for known in json_edit.children(text, inside.value_start) if inside else ():
            if _is_ours(known.value.get("command")):
                return text if known.value == hook else json_edit.replace(text, known, hook)
    return json_edit.append(text, entries.value_start, entry)


def _without_claude_hooks(text: str) -> str:
    """Without our hooks, and without the lists that become empty by that."""
    for event in _CLAUDE_EVENTS:
        while True:
            changed = _without_one(text, event)
            if changed == text:
                break
            text = changed
    return text


def _without_one(text: str, event: str) -> str:
    top = json_edit.root(text)
    hooks = json_edit.child(text, top, "hooks")
    entries = json_edit.child(text, hooks.value_start, event) if hooks else None
    if hooks is None or entries is None:
        return text
    for entry in json_edit.children(text, entries.value_start):
        inside = json_edit.child(text, entry.value_start, "hooks")
        for known in json_edit.children(text, inside.value_start) if inside else ():
            if not _is_ours(known.value.get("command")):
                continue
            assert inside is not None
            if len(inside.value) > 1:
                return json_edit.remove(text, inside.value_start, known)
            if len(entries.value) > 1:
                return json_edit.remove(text, entries.value_start, entry)
            if len(hooks.value) > 1:
                return json_edit.remove(text, hooks.value_start, entries)
            return json_edit.remove(text, top, hooks)
    return text


def _check(file: Path, text: str) -> None:
    """Raises where the file is not of the form that the agent reads: better no hook than settings lost."""
    try:
        value = json_edit.parse(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise DebugLoopError(
            f"{file} is not valid JSON ({error}); mend it and try again. It is left as it is"
        ) from error
    hooks = value.get("hooks", {}) if isinstance(value, dict) else None
    if not isinstance(hooks, dict) or not all(_is_list_of_entries(entries) for entries in hooks.values()):
        raise DebugLoopError(f"the hooks in {file} are not of the form the agent reads; mend them. It is left as it is")


def _is_list_of_entries(entries: object) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("hooks", []), list)
        and all(isinstance(hook, dict) for hook in entry.get("hooks", []))
        for entry in entries
    )


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise DebugLoopError(f"{file} cannot be read: {error}") from error


def _write(file: Path, before: str, text: str) -> bool:
    """Writes a changed text in one step, with a copy of what was there beside it."""
    if text == before:
        return False
    json_edit.parse(text.removeprefix("\ufeff"))
    target = file.resolve()  # a link into somebody's dotfiles stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if before:
            _back_up(target, before)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
            new.write(text.encode())
        Path(new.name).chmod(mode)
        os.replace(new.name, target)
    except OSError as error:
        raise DebugLoopError(f"{file} cannot be written: {error}") from error
    return True


def _back_up(file: Path, text: str) -> None:
    copy = file.with_name(f"{file.name}.before-debug-loop-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    copy.touch(mode=0o600)
    copy.write_bytes(text.encode())
