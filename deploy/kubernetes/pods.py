"""Run the pods of an overlay under podman, and break them while callers are served.

    kubectl kustomize deploy/kubernetes/overlays/local | sudo python3 deploy/kubernetes/pods.py

podman stands for the kubelet: each container gets the user, the capabilities, the read-only file
system, the volumes and the limits of its manifest, and starts, is ready and lives as its probes
say. Of fronts and workers there are two each. While verify.py sends a storm, one worker and one
front are killed and the others are told to end; whatever ended is started again. Needs root,
PyYAML, podman, and the images under the names that the overlay has for them.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

_VERIFY = Path(__file__).resolve().parents[1] / "pipeline" / "verify.py"
# Where both fronts listen, in the place of a Service; each has the port after it for its probes.
_PORT = 8000
_STORM_S = 60

_FILES, _PROCESSES = 16_384, 4_096

Manifest = dict[str, Any]


class Faulty(Exception):
    """A pod does not do what its manifest asks: one line."""


class Pod:
    """One container of a workload; methods raise Faulty."""

    def __init__(
        self, name: str, spec: Manifest, overlay: Overlay, port: int | None = None
    ) -> None:
        self.name = name
        self.restarts = 0
        self._port = port
        self.grace_s = spec.get("terminationGracePeriodSeconds", 30)
        (self._container,) = spec["containers"]
        may, is_user = self._container["securityContext"], spec["securityContext"]
        limits = self._container["resources"]["limits"]
        self._run = [
            *("podman", "run", "--detach", "--replace", "--name", name, "--network=host"),
            *("--add-host=redis:127.0.0.1", "--security-opt=no-new-privileges"),
            # Without them podman asks for more than a root without all capabilities may have.
            *(f"--ulimit=nofile={_FILES}:{_FILES}", f"--ulimit=nproc={_PROCESSES}:{_PROCESSES}"),
            f"--user={is_user['runAsUser']}:{is_user['runAsGroup']}",
            *(f"--cap-drop={each.lower()}" for each in may["capabilities"]["drop"]),
            *("--read-only", "--read-only-tmpfs=false"),
            f"--cpus={limits['cpu']}",
            *(f"--memory={_bytes(limits['memory'])}", f"--memory-swap={_bytes(limits['memory'])}"),
            *overlay.mounts(name, spec),
            *overlay.environment(self._container),
            *([f"--env=GUNICORN_CMD_ARGS={_listening(port)}"] if port else []),
            *(self._container["image"], *self._container["args"]),
        ]

    def start(self) -> None:
        """Until its start-up probe says so."""
        _podman(*self._run[1:])
        probe = self._container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            time.sleep(probe.get("periodSeconds", 10))
            if self.passes("startupProbe"):
                return
            if not self.runs:
                break
        raise Faulty(f"{self.name} does not start: {_podman('logs', '--tail=5', self.name)}")

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return _podman("inspect", "--format={{.State.Running}}", self.name).strip() == "true"

    def passes(self, probe: str) -> bool:
        """One look, in the time that the probe has for it."""
        asked = self._container[probe]
        timeout_s = asked.get("timeoutSeconds", 1)
        if "httpGet" in asked:
            url = f"http://127.0.0.1:{self._port}{asked['httpGet']['path']}"
            try:
                with urllib.request.urlopen(url, timeout=timeout_s):
                    return True
            except OSError:
                return False
        command = ["podman", "exec", self.name, *asked["exec"]["command"]]
        try:
            done = subprocess.run(command, check=False, capture_output=True, timeout=timeout_s)
            return not done.returncode
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        """SIGKILL, and started again as the kubelet does."""
        _podman("kill", "--signal=KILL", self.name)
        self._again()

    def end(self) -> None:
        """SIGTERM; it must end by itself in its grace period."""
        _podman("stop", f"--time={self.grace_s}", self.name)
        code = _podman("inspect", "--format={{.State.ExitCode}}", self.name).strip()
        if code != "0":
            raise Faulty(f"{self.name} did not end by itself within {self.grace_s} s: {code}")
        self._again()

    def _again(self) -> None:
        self.restarts += 1
        self.start()

    def told(self) -> str:
        """How it fared."""
        state = json.loads(_podman("inspect", self.name))[0]["State"]
        used = _podman("stats", "--no-stream", "--format={{.MemUsage}}", self.name).strip()
        return f"{self.name}: {used}, started again {self.restarts}, oom {state['OOMKilled']}"


class Overlay:
    """What kustomize made: workloads, and what they are given."""

    def __init__(self, documents: list[Manifest], folder: Path) -> None:
        self._by = {(each["kind"], each["metadata"]["name"]): each for each in documents}
        self._folder = folder

    def pods(self) -> list[Pod]:
        """Redis, two workers, two fronts, in the order in which they start."""
        workers, fronts = self._spec("Deployment", "handwriting"), self._spec("Deployment", "front")
        return [
            Pod("redis", self._spec("StatefulSet", "redis"), self),
            *(Pod(f"worker-{number}", workers, self) for number in (1, 2)),
            *(Pod(f"front-{number}", fronts, self, _PORT + number) for number in (1, 2)),
        ]

    def environment(self, container: Manifest) -> list[str]:
        """As podman takes it."""
        found = {}
        for source in container.get("envFrom", ()):
            found |= self._data("ConfigMap", source["configMapRef"]["name"])
        for each in container.get("env", ()):
            reference = each.get("valueFrom", {}).get("secretKeyRef")
            found[each["name"]] = (
                self._data("Secret", reference["name"])[reference["key"]]
                if reference
                else each["value"]
            )
        return [f"--env={name}={value}" for name, value in found.items()]

    def mounts(self, pod: str, spec: Manifest) -> list[str]:
        """Volumes: empty ones with their limits, files of secrets and settings, a disk."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        owner = spec["securityContext"]["runAsUser"]
        (container,) = spec["containers"]
        found = []
        for mount in container["volumeMounts"]:
            volume, at = volumes.get(mount["name"], {}), mount["mountPath"]
            if "emptyDir" in volume:
                size = _bytes(volume["emptyDir"]["sizeLimit"])
                found.append(f"--mount=type=tmpfs,destination={at},tmpfs-size={size},notmpcopyup")
                continue
            folder = self._folder / pod / mount["name"]
            folder.mkdir(parents=True)
            for name, text in self._files(volume).items():
                (folder / name).write_text(text)
            if not volume:
                os.chown(folder, owner, owner)
            found.append(f"--volume={folder}:{at}{':ro' if mount.get('readOnly') else ''}")
        return found

    def _files(self, volume: Manifest) -> dict[str, str]:
        if "configMap" in volume:
            return self._data("ConfigMap", volume["configMap"]["name"])
        secrets = [volume["secret"]["secretName"]] if "secret" in volume else []
        for source in volume.get("projected", {}).get("sources", ()):
            secrets.append(source["secret"]["name"])
        return {k: v for name in secrets for k, v in self._data("Secret", name).items()}

    def _data(self, kind: str, name: str) -> dict[str, str]:
        document = self._by[kind, name]
        if kind == "ConfigMap":
            return dict(document["data"])
        return {key: base64.b64decode(text).decode() for key, text in document["data"].items()}

    def _spec(self, kind: str, name: str) -> Manifest:
        spec: Manifest = self._by[kind, name]["spec"]["template"]["spec"]
        return spec


def main() -> int:
    """0 when every uuid was answered while the pods were broken; 1 and a line when not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        overlay = Overlay([each for each in yaml.safe_load_all(sys.stdin) if each], Path(folder))
        pods = overlay.pods()
        try:
            for pod in pods:
                pod.start()
            _, worker, other_worker, front, other_front = pods
            _require_probes(pods)
            command = [
                sys.executable,
                str(_VERIFY),
                f"http://127.0.0.1:{_PORT}",
                f"--seconds={_STORM_S}",
            ]
            with subprocess.Popen([*command, "--ready-within=30", "--first-try=90"]) as storm:
                for break_it in (worker.kill, other_worker.end, front.kill, other_front.end):
                    time.sleep(5)
                    break_it()
            _require_probes(pods)
            print("\n".join(pod.told() for pod in pods))
            return storm.returncode
        except Faulty as fault:
            print(fault, file=sys.stderr)
            return 1
        finally:
            for pod in pods:
                _podman("rm", "--force", "--ignore", pod.name)


def _require_probes(pods: list[Pod]) -> None:
    for pod in pods:
        for probe in ("readinessProbe", "livenessProbe"):
            if not pod.passes(probe):
                raise Faulty(f"{pod.name} does not pass its {probe}")


def _listening(port: int) -> str:
    return f"--reuse-port --bind=127.0.0.1:{_PORT} --bind=127.0.0.1:{port}"


def _podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise Faulty(f"podman {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 2**20, "Gi": 2**30}[quantity[-2:]]


if __name__ == "__main__":
    sys.exit(main())
