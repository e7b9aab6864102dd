# Generation: gen/, docs/reference and the queries' code come from proto/, from the settings' tags and from SQL. All of
# it is committed; gen-check proves that it is what the sources say.
PROTO_TOOLS := tools/proto/node_modules
GENERATED := gen docs/reference testkit/kinds $(wildcard services/*/internal/store/db)
GENERATORS := $(BIN)/.generators

# The Go programs that generate, in the versions of tools/go.mod.
$(GENERATORS): tools/go.mod tools/go.sum $(wildcard tools/protoc-gen-braid/*.go)
	@mkdir -p $(BIN)
	go build -C tools -o ../$(BIN)/ ./protoc-gen-braid \
		google.golang.org/protobuf/cmd/protoc-gen-go \
		connectrpc.com/connect/cmd/protoc-gen-connect-go \
		github.com/sudorandom/protoc-gen-connect-openapi github.com/sqlc-dev/sqlc/cmd/sqlc
	@touch $@

# buf and the TypeScript generator and compiler, with the hashes of the lock file.
$(PROTO_TOOLS)/.package-lock.json: tools/proto/package.json tools/proto/package-lock.json
	npm ci --prefix tools/proto --no-audit --no-fund
	@touch $@

# What the contract imports from others.
.cache/proto: tools/go.sum $(wildcard tools/protodeps/*.go)
	go run -C tools ./protodeps ../.cache/proto
	@touch $@

.PHONY: gen
gen: gen-proto gen-sql gen-reference ## Generate everything that is generated

.PHONY: gen-proto
gen-proto: $(GENERATORS) $(PROTO_TOOLS)/.package-lock.json .cache/proto
	$(PROTO_TOOLS)/.bin/buf generate
	$(PROTO_TOOLS)/.bin/buf generate --template testkit/kinds/buf.gen.yaml
	$(PROTO_TOOLS)/.bin/buf build --as-file-descriptor-set -o .cache/openapi/contract.binpb

.PHONY: gen-sql
gen-sql: $(GENERATORS)
	set -e; for file in services/*/internal/store/sqlc.yaml; do $(BIN)/sqlc generate -f $$file; done

# Runs after the others: it reads what they wrote.
.PHONY: gen-reference
gen-reference: gen-proto
	go run ./cmd/reference
	go run ./cmd/braid config reference > .cache/config.md
	mv .cache/config.md docs/reference/config.md

.PHONY: gen-check
gen-check: gen lint-proto breaking check-ts check-openapi ## Fail when generation changes anything
	@changed=$$(git status --porcelain --untracked-files=all -- $(GENERATED)); \
	if [ -n "$$changed" ]; then \
		echo "generation changed these files; run make gen and commit them:"; echo "$$changed"; \
		git --no-pager diff -- $(GENERATED) | head -200; exit 1; \
	fi

.PHONY: lint-proto
lint-proto: $(PROTO_TOOLS)/.package-lock.json .cache/proto ## Check the contract
	$(PROTO_TOOLS)/.bin/buf lint
	$(PROTO_TOOLS)/.bin/buf format --diff --exit-code proto

# BREAKING_AGAINST is the commit that clients may have been built from: the one given, else main, or, on main itself, the
# commit before. On main .ci/run takes the commit before the push from BRAID_CI_BASE. Where CI, or whoever gives
# a commit, can't compare (a clone may be too shallow), that is a failure: what was not looked at is not good.
BREAKING_AGAINST ?= $(shell for name in origin/main main; do \
	if git rev-parse --quiet --verify $$name >/dev/null && [ "$$(git rev-parse $$name)" != "$$(git rev-parse HEAD)" ]; then echo $$name; exit; fi; \
	done; echo HEAD~1)
BREAKING_MUST := $(if $(or $(filter true,$(CI)),$(filter-out undefined file,$(origin BREAKING_AGAINST))),1)
.PHONY: breaking
breaking: $(PROTO_TOOLS)/.package-lock.json .cache/proto ## Refuse changes of the contract that break clients
	@set -e; \
	if ! git rev-parse --quiet --verify '$(BREAKING_AGAINST):proto' >/dev/null; then \
		echo "nothing to compare the contract with: $(BREAKING_AGAINST) is not in this clone, or holds none"; \
		if [ -n "$(BREAKING_MUST)" ]; then echo "fetch it (git fetch --unshallow), or name another: make breaking BREAKING_AGAINST=…"; exit 1; fi; \
		exit; \
	fi; \
	rm -rf .cache/breaking; mkdir -p .cache/breaking/.cache; \
	git archive $(BREAKING_AGAINST) proto buf.yaml | tar -x -C .cache/breaking; \
	cp -r .cache/proto .cache/breaking/.cache/proto; \
	$(PROTO_TOOLS)/.bin/buf breaking --against .cache/breaking; \
	echo "the contract breaks nothing since $(BREAKING_AGAINST)"

.PHONY: check-ts
check-ts: $(PROTO_TOOLS)/.package-lock.json ## Compile the TypeScript client
	$(PROTO_TOOLS)/.bin/tsc --project tools/proto

.PHONY: check-openapi
check-openapi: tools/docs/node_modules/.package-lock.json ## Validate the OpenAPI document
	node tools/docs/validate.mjs gen/openapi/openapi.json

tools/docs/node_modules/.package-lock.json: tools/docs/package.json tools/docs/package-lock.json
	npm ci --prefix tools/docs --ignore-scripts --no-audit --no-fund
	@touch $@
