"""`serve` answers many at once, records what it served, keeps the held-out arm in the dark, and stops in order."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.effects import embedding_model
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.serving.daemon import ServeDaemon
from debug_loop_pipeline.serving.manifest_injector import MANIFEST_KEY, ManifestInjector
from debug_loop_pipeline.serving.socket_client import MAX_LINE, ServeUnavailableError, ask
from debug_loop_pipeline.settings import MatchingSettings, RecommendationSettings, Settings
from tests.integration.serving.conftest import serving

ERROR = "KeyError: 'name'"
REQUEST = "Fix the reader of names in config.py, it fails on a missing name"
FIX = 'record.get("name", default)'


def _own(settings: Settings, directory: Path, **changes: object) -> Settings:
    return settings.model_copy(update={"data_dir": directory / "data", **changes})


def test_it_gives_the_fix_and_records_it(daemon: ServeDaemon, database: Database) -> None:
    answer = ask(
        daemon.address,
        {"op": "manifest", "error": ERROR, "session_id": "s-1", "tool_call_id": "t-1", "occasion": "failure"},
        5,
    )
    assert FIX in answer["markdown"]
    assert daemon._recorder.flush()
    (row,) = fetch_rows(database, "select * from recommendations where session_id = 's-1'")
    assert str(row["recommendation_id"]) == answer["recommendation_id"]
    assert (row["session_id"], row["tool_call_id"], row["arm"], row["occasion"]) == (
        "s-1",
        "t-1",
        "treatment",
        "failure",
    )
    assert len(row["mapping_ids"]) == 1
    assert row["error_signature"]


def test_it_gives_the_function_for_a_request_and_pasted_errors_in_prompts(daemon: ServeDaemon) -> None:
    answer = ask(daemon.address, {"op": "manifest", "request": REQUEST, "with_manifest": True}, 5)
    assert [function["name"] for function in answer["manifest"]["functions"]] == ["read_name"]
    pasted = f"why does this happen?\n{ERROR}"
    assert FIX in ask(daemon.address, {"op": "manifest", "request": pasted, "occasion": "prompt"}, 5)["markdown"]


def test_nothing_known_is_said_and_recorded_as_nothing(daemon: ServeDaemon, database: Database) -> None:
    answer = ask(
        daemon.address, {"op": "manifest", "error": "ZeroDivisionError: division by zero", "session_id": "s-0"}, 5
    )
    assert (answer["ok"], answer["markdown"]) == (True, "")
    assert "recommendation_id" not in answer
    daemon._recorder.flush()
    assert fetch_rows(database, "select * from recommendations where session_id = 's-0'") == []


def test_the_held_out_arm_is_computed_recorded_and_not_shown(
    settings: Settings, database: Database, short_directory: Path
) -> None:
    held_out = _own(settings, short_directory, recommendation=RecommendationSettings(holdout_share=1.0))
    with serving(held_out) as daemon:
        answer = ask(
            daemon.address, {"op": "manifest", "error": ERROR, "session_id": "held-out", "with_manifest": True}, 5
        )
        assert answer["markdown"] == ""
        assert "manifest" not in answer
        daemon._recorder.flush()
    (row,) = fetch_rows(
        database, "select arm, mapping_ids, characters from recommendations where session_id = 'held-out'"
    )
    assert row["arm"] == "holdout"
    assert len(row["mapping_ids"]) == 1
    assert row["characters"] > 0


def test_malformed_messages_are_refused_one_by_one(daemon: ServeDaemon) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(daemon.address))
        stream = connection.makefile("rwb")
        for line in (
            b"nonsense",
            b"[1]",
            b'{"op": "no such"}',
            b'{"op": ["list"]}',
            b'{"op": "manifest", "functions": 99}',
            b"\xff\xfe",
        ):
            stream.write(line + b"\n")
            stream.flush()
            answer = json.loads(stream.readline())
            assert answer["ok"] is False
            assert answer["error"]
        stream.write(b'{"op": "ping"}\n')
        stream.flush()
        assert json.loads(stream.readline())["ok"] is True


def test_a_message_without_end_is_cut_off(daemon: ServeDaemon) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(daemon.address))
        try:
            connection.sendall(b"x" * (MAX_LINE + 100_000))
            assert b"too long" in connection.recv(1_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert ask(daemon.address, {"op": "ping"}, 5)["ok"]


def test_a_client_that_says_nothing_holds_up_nobody(daemon: ServeDaemon) -> None:
    idle = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for connection in idle:
        connection.connect(str(daemon.address))
        connection.sendall(b'{"op": ')
    assert ask(daemon.address, {"op": "ping"}, 2)["ok"]
    for connection in idle:
        connection.close()


def test_many_ask_at_once(daemon: ServeDaemon) -> None:
    answers: list[str] = []

    def client() -> None:
        answers.extend(ask(daemon.address, {"op": "manifest", "error": ERROR}, 30)["markdown"] for _ in range(5))

    threads = [threading.Thread(target=client) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 60
    assert all(FIX in answer for answer in answers)


def test_the_socket_is_its_owners_alone_and_goes_with_the_process(settings: Settings, short_directory: Path) -> None:
    settings = _own(settings, short_directory)
    with serving(settings, warm=False) as daemon:
        assert stat.S_IMODE(os.stat(daemon.address).st_mode) == 0o600
        with pytest.raises(DebugLoopError, match="another"):
            ServeDaemon(settings).run()
        assert ask(daemon.address, {"op": "ping"}, 5)["pid"] == os.getpid()
    assert not daemon.address.exists()
    with pytest.raises(ServeUnavailableError):
        ask(daemon.address, {"op": "ping"}, 1)


def test_a_socket_left_by_a_killed_process_is_taken_over(settings: Settings, short_directory: Path) -> None:
    settings = _own(settings, short_directory)
    settings.data_dir.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(settings.data_dir / "serve.sock"))
    with serving(settings, warm=False) as daemon:
        assert ask(daemon.address, {"op": "ping"}, 5)["ok"]


def test_a_path_too_long_for_a_socket_has_a_private_place(settings: Settings, short_directory: Path) -> None:
    long = settings.model_copy(update={"data_dir": short_directory / ("d" * 120)})
    with serving(long, warm=False) as daemon:
        assert len(os.fsencode(daemon.address)) <= 100
        assert stat.S_IMODE(daemon.address.parent.stat().st_mode) == 0o700
        assert ask(daemon.address, {"op": "ping"}, 5)["ok"]
    daemon.address.parent.rmdir()


def test_an_outcome_is_kept_right_after_the_answer(daemon: ServeDaemon, database: Database) -> None:
    served = ask(daemon.address, {"op": "manifest", "error": ERROR}, 5)["recommendation_id"]
    said = {"op": "outcome", "recommendation_id": served, "helped": True, "note": "password=hunter2hunter2 it did"}
    assert ask(daemon.address, said, 10) == {"ok": True}
    (row,) = fetch_rows(database, "select outcome, outcome_note from recommendations where outcome is not null")
    assert row["outcome"] == "helped"
    assert "hunter2hunter2" not in row["outcome_note"]
    assert ask(daemon.address, {"op": "outcome", "recommendation_id": "0" * 32, "helped": True}, 10)["ok"] is False


def test_the_injector_enriches_prompts_and_manifests_by_socket_and_in_process(
    settings: Settings, short_directory: Path
) -> None:
    settings = _own(settings, short_directory)
    injector = ManifestInjector(settings=settings, timeout_s=5)
    try:
        with serving(settings):
            by_socket = injector.inject("Make the tests pass", error=ERROR, session_id="s")
            assert injector._library is None
        in_process = injector.inject("Make the tests pass", error=ERROR, session_id="s")
        assert injector._library is not None
        assert by_socket == in_process
        assert by_socket.startswith("Make the tests pass\n\n## ")
        manifest = injector.inject({"user_request": REQUEST, "model": "m"}, session_id="s")
        assert manifest["model"] == "m"
        assert manifest[MANIFEST_KEY]["manifest"]["functions"][0]["name"] == "read_name"
        served = manifest[MANIFEST_KEY]["recommendation_id"]
        assert injector.report_outcome(served, helped=False, note="other cause")
        assert not injector.report_outcome("00000000-0000-0000-0000-000000000000", helped=True)
    finally:
        injector.close()


def test_the_injector_never_harms_its_agent(short_directory: Path) -> None:
    nowhere = Settings(data_dir=short_directory, postgres_url="postgresql://nobody@127.0.0.1:1/none")
    injector = ManifestInjector(settings=nowhere, in_process=False)
    assert injector.inject("a prompt", error=ERROR) == "a prompt"
    broken = ManifestInjector(settings=nowhere)
    assert broken.inject({"a": 1}, error=ERROR) == {"a": 1}
    broken.close()
    other: Any
    for other in (None, 5, [{"role": "user", "content": "a prompt"}]):
        assert injector.inject(other) is other
        assert injector.inject(other, error=ERROR) is other


def test_new_functions_are_found_without_a_restart(
    settings: Settings, database: Database, short_directory: Path
) -> None:
    with serving(_own(settings, short_directory)) as daemon:
        before = daemon._keeper.current
        with database.transaction() as connection:
            connection.exec_driver_sql("update debug_transform_functions set approval = 'rejected', updated_at = now()")
        until = time.monotonic() + 20
        while ask(daemon.address, {"op": "manifest", "request": REQUEST}, 5)["markdown"] and time.monotonic() < until:
            time.sleep(0.05)
        daemon._keeper.refresh()
        while daemon._keeper.current is before and time.monotonic() < until:
            time.sleep(0.05)
        assert daemon._keeper.current is not before


def test_it_matches_by_meaning_too_where_asked_to(
    settings: Settings, database: Database, short_directory: Path
) -> None:
    hybrid = _own(settings, short_directory / "hybrid", matching=MatchingSettings(algorithm="hybrid"))
    with database.transaction() as connection:
        connection.exec_driver_sql("update debug_transform_functions set approval = 'approved', updated_at = now()")
    question = {"op": "manifest", "request": REQUEST, "with_manifest": True}
    found = []
    for one in (hybrid, _own(settings, short_directory / "tfidf")):
        with serving(one) as daemon:
            (function,) = ask(daemon.address, question, 5)["manifest"]["functions"]
            assert ask(daemon.address, question, 5)["manifest"]["functions"] == [function]
            found.append(function)
            assert daemon._answerer._cache.hits == 1
    assert [function["name"] for function in found] == ["read_name"] * 2
    assert found[0]["similarity"] != found[1]["similarity"]


def test_hybrid_without_the_extra_does_not_serve(
    settings: Settings, short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_model, "find_spec", lambda _: None)
    embedding_model.load_embedder.cache_clear()
    daemon = ServeDaemon(_own(settings, short_directory, matching=MatchingSettings(algorithm="hybrid")))
    with pytest.raises(DebugLoopError, match=r"\[embedding\]"):
        daemon.run()
    embedding_model.load_embedder.cache_clear()
