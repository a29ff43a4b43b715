"""The scripts, with a stand-in for Docker: in which order they go, and how they go back."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from model.bundle import Bundle
from tests.bench.scripted import SILENT, Script, ScriptedServer
from tests.service_process import ROOT

# Two old containers of each service and, once they were begun, as many new ones.
DOCKER = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
    *"ps -q worker") echo old-worker ;;
    *"ps -q web") echo old-web ;;
    *"run --detach"*" web") echo trial-web ;;
    *"run --detach"*) echo trial-worker ;;
    inspect*trial-web) echo "$TRIAL" ;;
    *"ps -q worker web") printf 'old-worker\\nold-web\\n' ;;
    inspect*) echo healthy ;;
    "ps --all"*) echo "$ENDED" ;;
    *"ps -aq"*) printf 'old-worker\\nold-web\\nnew-worker\\nnew-web\\n' ;;
esac
case "$*" in $FAILS) exit 1 ;; esac
"""
GOOD = Script(Punctual_Bundle="handwriting/3")
TRIED = Script(Punctual_Bundle="trial/3")


class Server:
    """A copy of what lies on a server, and what Docker was told there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "deploy" / "pipeline", folder / "deploy" / "pipeline")
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "sample-request.json", folder / "docs")
        (folder / "bin").mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.log = folder / "log"
        # Where the front is that is tried apart: an address of this machine that nobody else has.
        self.trial = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])

    def run(
        self,
        script: str,
        *arguments: str,
        url: str = "",
        fails: str = "nothing",
        trial: Script = TRIED,
        ended: str = "",
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        own = {"PATH": path, "LOG": str(self.log), "FAILS": fails, "URL": url, "TRIAL": self.trial}
        own |= {"VERIFY": "--rate 20 --seconds 0.2", "ENDED": ended}
        with ScriptedServer(lambda *_: trial, at=(self.trial, 8000)):
            return self._run(script, *arguments, own=own)

    def _run(
        self, script: str, *arguments: str, own: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "deploy" / "pipeline" / script), *arguments],
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def told(self) -> list[str]:
        """What Docker was told to change, without the options that are always there."""
        lines = [
            re.sub(r"^compose --env-file .env (--env-file release.env )?", "", line)
            for line in self.log.read_text().splitlines()
        ]
        # A program of Python goes on over lines of its own.
        return [line for line in lines if line.startswith(CHANGES)]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


CHANGES = ("pull ", "run ", "up ", "stop ", "start ", "rm ", "exec ")
APART = [
    "run --detach --no-deps --env BUNDLE=/tmp/trial --env ALGORITHM=trial worker sh -c python -c '",
    "run --detach --no-deps web",
    "rm --force trial-worker trial-web",
]
BESIDE = "up -d --wait --no-recreate --scale worker=2 --scale web=2 worker web"


def test_a_release_that_serves_takes_the_place_of_the_old(server: Server) -> None:
    with ScriptedServer(lambda *_: GOOD) as service:
        run = server.run("rollout.sh", "release.env", url=service.url)
    assert run.returncode == 0, run.stderr
    assert server.told() == [
        "pull --quiet web worker flower",
        *APART,
        BESIDE,
        "stop old-worker old-web",
        "rm old-worker old-web",
        "up -d --no-deps flower logbook",
    ]


def test_a_release_that_does_not_serve_makes_way_again(server: Server) -> None:
    with ScriptedServer(lambda *_: Script(500)) as service:
        run = server.run("rollout.sh", "release.env", url=service.url)
    assert run.returncode == 1
    assert "Going back: the new containers do not serve as they should" in run.stderr
    assert server.told()[5:] == [
        "stop old-worker old-web",
        "start old-worker old-web",
        "rm --force new-worker",
        "rm --force new-web",
    ]


@pytest.mark.parametrize("trial", [Script(500), Script(504), Script(fields={"answer": ""})])
@pytest.mark.parametrize("script", ["rollout.sh", "weights.sh"])
def test_what_does_not_serve_apart_from_callers_never_meets_one(
    server: Server, script: str, trial: Script
) -> None:
    bundle = [str(ROOT / "bundles" / "handwriting")] * (script == "weights.sh")
    with ScriptedServer(lambda *_: GOOD) as service:
        run = server.run(script, "release.env", *bundle, url=service.url, trial=trial)
        assert not service.bodies
    assert run.returncode == 1
    assert "Not begun: " in run.stderr
    assert server.told()[-3:] == APART


def test_a_trial_that_cannot_be_started_is_cleared_away(server: Server) -> None:
    run = server.run("rollout.sh", "release.env", fails="*--no-deps web")
    assert run.returncode == 1
    assert server.told()[-1].startswith("rm --force trial-worker")


def test_a_trial_that_ends_by_itself_is_not_waited_for(server: Server) -> None:
    run = server.run("rollout.sh", "release.env", trial=SILENT, ended="trial-worker")
    assert run.returncode == 1
    assert "has ended by itself" in run.stderr
    assert "logs --tail 3 trial-worker" in server.log.read_text()
    assert server.told() == ["pull --quiet web worker flower", *APART]


def test_a_release_that_does_not_become_ready_never_had_a_caller(server: Server) -> None:
    run = server.run("rollout.sh", "release.env", fails="*--no-recreate*")
    assert run.returncode == 1
    assert "did not become ready" in run.stderr
    assert server.told()[4:] == [
        BESIDE,
        "start old-worker old-web",
        "rm --force new-worker",
        "rm --force new-web",
    ]


def test_a_release_that_cannot_be_fetched_changes_nothing(server: Server) -> None:
    run = server.run("rollout.sh", "release.env", fails="*pull*")
    assert run.returncode == 2
    assert server.told() == ["pull --quiet web worker flower"]


def test_a_server_builds_nothing() -> None:
    """Whatever is built from this repository comes with the release, and replaces the build."""

    class Loader(yaml.SafeLoader):
        """Knows Compose's own tag."""

    Loader.add_constructor("!reset", lambda *_: "reset")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    text = (ROOT / "deploy/pipeline/compose.yml").read_text()
    release = yaml.load(text, Loader)["services"]
    assert {name for name, each in compose.items() if "build" in each} == set(release)
    for each in release.values():
        assert each["image"].startswith("${")
        assert each["build"] == "reset"


@pytest.mark.parametrize(("status", "ends"), [(200, 0), (503, 1)])
def test_weights_are_promoted_and_go_back_when_they_do_not_serve(
    server: Server, status: int, ends: int
) -> None:
    bundle = ROOT / "bundles" / "handwriting"
    version = Bundle.open(bundle).id
    script = Script(status, Punctual_Bundle=version)
    with ScriptedServer(lambda *_: script) as service:
        run = server.run("weights.sh", "release.env", str(bundle), url=service.url)
    assert run.returncode == ends, run.stderr
    *apart, _beside, promoted = server.told()[:5]
    after = server.told()[5:]
    assert apart == APART
    assert promoted == f"exec old-worker python -m workers promote {version}"
    if ends == 0:
        assert after == ["stop old-worker", "rm old-worker"]
        assert f"BUNDLE={bundle} in .env" in run.stdout
    else:
        assert after[0] == "exec old-worker python -m workers rollback handwriting"
        assert after[1] == "start old-worker"


def test_a_folder_without_a_bundle_changes_nothing(server: Server, tmp_path: Path) -> None:
    run = server.run("weights.sh", "release.env", str(tmp_path))
    assert run.returncode == 2
    assert not server.log.exists()


def test_workers_stop_at_night_and_start_in_the_morning(server: Server) -> None:
    with ScriptedServer(lambda *_: GOOD) as service:
        night = server.run("hours.sh", "stop", url=service.url)
        assert not service.bodies
        morning = server.run("hours.sh", "start", url=service.url)
        assert service.bodies
    assert (night.returncode, morning.returncode) == (0, 0), morning.stderr
    assert server.told() == ["stop worker", "start worker"]


def test_a_morning_on_which_nothing_is_answered_is_told(server: Server) -> None:
    with ScriptedServer(lambda *_: Script(503)) as service:
        run = server.run("hours.sh", "start", url=service.url)
    assert run.returncode == 1
    assert service.url in run.stderr


def test_hours_need_a_word(server: Server) -> None:
    run = server.run("hours.sh")
    assert run.returncode == 2
    assert "stop or start" in run.stderr
    assert not server.log.exists()


def test_an_image_is_named_by_its_digest(server: Server) -> None:
    docker = server.folder / "bin" / "docker"
    docker.write_text(
        'case "$*" in "image inspect"*) for last; do :; done;'
        ' echo "other/x@sha256:0"; echo "${last%:*}@sha256:1" ;; esac\n'
    )
    docker.write_text("#!/bin/sh\n" + docker.read_text())
    run = server.run("release.sh", "127.0.0.1:5000/punctual", "abc")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        f"{kind.upper()}_IMAGE=127.0.0.1:5000/punctual-{kind}@sha256:1"
        for kind in ("web", "worker", "flower")
    ]
