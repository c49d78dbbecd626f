# SPDX-License-Identifier: Apache-2.0

# Each target says what it is for behind its name; `make` alone prints them.

MODULES      := . ./collector-components ./cmd/otelplat ./examples ./integration
ALL          := ./... ./collector-components/... ./cmd/otelplat/... ./examples/... ./integration/...
# The race detector needs a C compiler. These packages do not link the whole collector, whose race build takes most of an hour of two cores.
RACE         := ./... ./examples/... $(patsubst %,./collector-components/%/...,budgetprocessor catalogprocessor eventexporter eventreceiver internal policyprocessor routeconnector semconvprocessor signalprocessor)
GOLANGCI     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK  := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VERSION      ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS      := -s -w -X github.com/otelplat/platform/cmd/otelplat/internal/cli.Version=$(VERSION) -X main.Version=$(VERSION)
TESTFLAGS    ?=

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help
help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.PHONY: up
up: build ## build, then run the platform and its demo on this machine
	bin/otelplat up --demo

.PHONY: build
build: ## write bin/otelplat and bin/otelplat-collector, static binaries
	go build -ldflags '$(LDFLAGS)' -o bin/otelplat ./cmd/otelplat
	go build -ldflags '$(LDFLAGS)' -o bin/otelplat-collector ./collector-components/distribution

.PHONY: test
test: ## every test of every module
	go test $(TESTFLAGS) $(ALL)

.PHONY: race
race: ## the tests of the libraries and the examples under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race $(TESTFLAGS) $(RACE)

.PHONY: faults
faults: ## the fault tests at their full length (etcd away for 60 s and the like)
	OTELPLAT_FAULTS=full go test -v -count=1 -timeout 60m ./coord/mirror/... ./coord/lock/... ./integration/...

.PHONY: soak
soak: ## ten minutes of telemetrygen through everything that governs; its counters have to add up
	OTELPLAT_SOAK=$${OTELPLAT_SOAK:-10m} go test -v -count=1 -timeout 30m -run TestSoak ./integration/peers/pipeline

.PHONY: lint
lint: vet ## go vet, formatting and golangci-lint over every module
	@test -z "$$(gofmt -l .)" || { echo 'not formatted:'; gofmt -l .; exit 1; }
	@set -e; for m in $(MODULES); do echo "golangci-lint $$m"; \
	  (cd $$m && go run $(GOLANGCI) run --timeout 20m ./...); done

MDATAGEN := GOWORK=off go tool -modfile=$(CURDIR)/collector-components/internal/tools/go.mod mdatagen

.PHONY: generate
generate: ## the generated code and pages of the collector's components, from their metadata.yaml
	@set -e; for f in collector-components/*/metadata.yaml; do echo "mdatagen $$f"; (cd $$(dirname $$f) && $(MDATAGEN) metadata.yaml); done

.PHONY: vet
vet: ## go vet over every module
	go vet $(ALL)

.PHONY: bench
bench: ## the benchmarks of the libraries
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-peers
bench-peers: ## the benchmarks that run a peer and us on the same work, and print the ratio
	go test -run '^$$' -bench . -timeout 30m ./integration/peers/...

.PHONY: routesim
routesim: ## the tail of our routing against that of its peers, simulated, with every bound (some minutes)
	OTELPLAT_ROUTESIM=full go test -v -count=1 -timeout 60m ./integration/peers/routesim/...

.PHONY: release-check
release-check: ## what users of a release do, outside the checkout: get the library, install the command, build a collector (3 to 10 minutes)
	integration/release-check.sh

.PHONY: vuln
vuln: ## govulncheck over every module, where its database can be reached
	@set -e; for m in $(MODULES); do (cd $$m && go run $(GOVULNCHECK) ./...) || { \
	  s=$$?; test $$s -eq 3 && exit 3; echo "govulncheck did not run for $$m: its database is not reachable from here"; }; done

IMAGES := otelplat etcd nats collector shop

.PHONY: images
images: export CGO_ENABLED = 0
images: build ## container images of the fleet, from our own static binaries (needs a container engine, no registry)
	go build -ldflags '-s -w' -o bin/shop ./examples/shop
	go build -ldflags '-s -w' -o bin/etcd go.etcd.io/etcd/server/v3
	cd cmd/otelplat && go build -ldflags '-s -w' -o ../../bin/nats-server github.com/nats-io/nats-server/v2
	mkdir -p bin/empty
	@set -e; for i in $(IMAGES); do echo "image otelplat/$$i"; docker build --quiet --target $$i --tag otelplat/$$i .; done

.PHONY: fleet-up
fleet-up: images ## start the fleet of docker-compose.yml and wait until it serves
	docker-compose down --remove-orphans
	docker-compose up --detach
	OTELPLAT_FLEET=up go test -count=1 -v -timeout 10m -run TestFleetIsUp ./integration

.PHONY: fleet-test
fleet-test: fleet-up ## the loop's test against the fleet, and again with one etcd stopped
	OTELPLAT_FLEET=up go test -count=1 -v -timeout 20m -run TestFleetLoop ./integration

.PHONY: fleet-down
fleet-down: ## stop the fleet; its volumes stay
	docker-compose down --remove-orphans

.PHONY: generated
generated: generate ## generate, and fail when what is committed is something else
	@git diff --exit-code --stat -- collector-components || { echo 'what is generated was not committed: make generate'; exit 1; }

.PHONY: ci
ci: generated lint test race build ## what .ci/run does

.PHONY: clean
clean: ## remove what build and up left behind
	rm -rf bin .otelplat
