#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Does what users of a release do, outside the checkout: gets the library, installs the
# command, and builds a collector with one of our components with the builder.
#
# `go install` refuses a module with replace lines, and go.work hides what a go.mod lacks.
# So a scratch copy of the checkout is stripped of both, its modules are packed into a
# file:// proxy under a version that no other run has, and Go is pointed at that.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
scratch=$(mktemp -d)
version=v0.0.0-check$(date +%s)
root=github.com/otelplat/platform
cache=$(go env GOMODCACHE)
upstream=$(go env GOPROXY)

# The module cache keeps what it gets, read-only.
clean() {
  for dir in "$cache/$root@$version" "$cache/$root/collector-components@$version" \
             "$cache/$root/examples@$version" "$cache/$root/cmd/otelplat@$version"; do
    [ ! -d "$dir" ] || { chmod -R u+w "$dir"; rm -rf "$dir"; }
  done
  find "$cache/cache/download/$root" -name "$version.*" -delete 2>/dev/null || true
  chmod -R u+w "$scratch"; rm -rf "$scratch"
}
trap clean EXIT

step() { echo "release-check: $* (${SECONDS}s)"; }

export GOWORK=off

step "packing $version"
mkdir "$scratch/src"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  [ ! -e "$f" ] || printf '%s\0' "$f"
done | xargs -0 cp --parents -t "$scratch/src"
cd "$scratch/src"
rm -f go.work go.work.sum
modules='. collector-components examples cmd/otelplat'
for m in $modules; do
  (cd "$m"
   for other in $root $root/collector-components $root/examples; do
     if grep -q "^replace $other =>" go.mod; then go mod edit -dropreplace="$other" -require="$other@$version"; fi
   done
   if grep -n '^replace' go.mod; then echo "a replace is left in $m/go.mod"; exit 1; fi)
done
git init -q . && git add -A . && git -c user.name=check -c user.email=check@localhost -c commit.gpgsign=false commit -qm "$version"
nested=$(git ls-files '*/go.mod' | xargs -n1 dirname)
for m in $modules; do
  path=$root${m:+/$m}; path=${path%/.}
  to=$scratch/proxy/$path/@v
  mkdir -p "$to"
  exclude=()
  for n in $nested; do
    case $m/ in .*) inner=$n ;; *) inner=${n#"$m"/}; [ "$inner" != "$n" ] || continue ;; esac
    exclude+=(":(exclude)$inner")
  done
  (cd "$m" && git archive --format=zip --prefix="$path@$version/" -o "$to/$version.zip" HEAD -- . "${exclude[@]}")
  cp "$m/go.mod" "$to/$version.mod"
  echo "$version" >"$to/list"
  printf '{"Version":"%s","Time":"%s"}\n' "$version" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$to/$version.info"
done

export GOPROXY=file://$scratch/proxy,$upstream GONOSUMDB=$root,$root/* GOFLAGS=-mod=mod CGO_ENABLED=0
unset GOPRIVATE GONOPROXY

step "a program that imports the library"
mkdir "$scratch/user" && cd "$scratch/user"
go mod init -q example.com/user 2>/dev/null || go mod init example.com/user 2>/dev/null
cat >main.go <<'EOF'
package main

import "github.com/otelplat/platform/otelplat"

func main() { _ = otelplat.Start }
EOF
go get "$root/otelplat@$version" 2>"$scratch/log" || { cat "$scratch/log"; exit 1; }
go build -o user . && ./user
if grep -E 'go.etcd.io|open-policy-agent|nats-io|modernc.org|opentelemetry.io/collector' go.mod; then
  echo "a user of package otelplat requires what it does not import"; exit 1
fi

step "the command, installed"
GOBIN=$scratch/bin go install "$root/cmd/otelplat@$version" 2>"$scratch/log" || { cat "$scratch/log"; exit 1; }
"$scratch/bin/otelplat" --help >/dev/null

step "a collector, by the builder, from a manifest of its own"
cd "$checkout/collector-components/internal/tools"
GOPROXY=$upstream GOFLAGS=-mod=readonly go build -o "$scratch/bin/builder" go.opentelemetry.io/collector/cmd/builder
mkdir "$scratch/collector" && cd "$scratch/collector"
stable=$(sed -n 's#^\tgo.opentelemetry.io/collector/component ##p' "$checkout/collector-components/go.mod")
unstable=$(sed -n 's#^\tgo.opentelemetry.io/collector/receiver/otlpreceiver ##p' "$checkout/collector-components/go.mod")
cat >manifest.yaml <<EOF
dist: {module: example.com/collector, name: collector, output_path: ./build, version: 0.1.0}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver $unstable
processors:
  - gomod: $root/collector-components $version
    import: $root/collector-components/policyprocessor
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter $unstable
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider $stable
  - gomod: go.opentelemetry.io/collector/confmap/provider/yamlprovider $stable
  - gomod: $root/collector-components $version
    import: $root/collector-components/etcdprovider
EOF
# The builder compiles with -trimpath, which shares nothing with the build cache; its code
# is compiled here without.
"$scratch/bin/builder" --skip-compilation --config manifest.yaml >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
(cd build && go build -o ../otelcol . 2>"$scratch/log") || { cat "$scratch/log"; exit 1; }
mkdir bundle && printf 'package otelplat.telemetry\n' >bundle/telemetry.rego
./otelcol components | grep -q 'name: otelplat_policy' || { echo "the collector does not have our component"; exit 1; }
./otelcol validate --config "yaml:{receivers: {otlp: {protocols: {grpc: {}}}}, exporters: {debug: {}},
  processors: {otelplat_policy: {directory: $PWD/bundle}},
  service: {pipelines: {logs: {receivers: [otlp], processors: [otelplat_policy], exporters: [debug]}}}}"
step "all three work"
