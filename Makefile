# Everything a person runs. `make` alone says what there is.

# One profile for running and testing, so that a fresh clone compiles once.
PROFILE ?= ci
# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/$(PROFILE)/counterfoil
CARGO ?= cargo
# Of the packages that have them.
FEATURES ?=
# For so many seconds.
HUNT ?= 600
# Rows of the catalogue, as F11,F14.
FAULTS ?= all
# The choices of a run again.
SEED ?=
# Of a soak.
HOURS ?= 1
# Of each fuzzer.
MINUTES ?= 10
FUZZERS ?= headers certificate body entry cursor note

.DEFAULT_GOAL := help
.PHONY: help build run check deny test test-all test-postgres test-citus bench hunt mutants faults soak fuzz fuzz-check clean-dev schema-dump contract-dump

help: ## Say what there is
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the binary
	$(CARGO) build --profile $(PROFILE) -p counterfoil $(FEATURES)

run: build ## Start everything for development, with a day of orders: http://127.0.0.1:8080
	@exec $(BIN) dev

check: deny ## Format, lints, documentation, dependency rules, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --profile $(PROFILE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --profile $(PROFILE)
	$(CARGO) test --profile $(PROFILE) --workspace --test it architecture

# Without advisories, which are a repository of their own to fetch: `cargo deny check advisories`.
DENY ?= $(shell command -v cargo-deny || ls $(TARGET)/deny/bin/cargo-deny 2> /dev/null)
deny: ## Licences, sources and bans of what is built in, where cargo-deny is installed
ifeq ($(DENY),)
	@echo "skipped: no cargo-deny (cargo install --locked cargo-deny)"
else
	$(DENY) --log-level error --all-features --config .config/deny.toml check licenses bans sources
endif

test: build ## All tests that need only PostgreSQL, which is found or got
	PATH="$$($(BIN) postgres):$$PATH" $(CARGO) test --workspace --profile $(PROFILE) $(FEATURES)

# `test` has the features too, so that everything is built once.
test-all: FEATURES = --features kafka,otel
test-all: test fuzz-check test-postgres ## Also the tests that need root or other tools
	PATH="$$($(BIN) postgres):$$PATH" $(CARGO) test --profile $(PROFILE) --workspace $(FEATURES) --test it -- --ignored

# Beside the one that everything else is tested on. What is fetched is kept beside the build.
POSTGRES ?= 14 16 17 18
ON_POSTGRES = schema:: event_log:: settlement:: promises:: http_api:: relay:: plans:: feed:: tree:: auditor::an_auditor
test-postgres: build ## The main path on other versions of PostgreSQL: make test-postgres POSTGRES="14 18"
	@set -e; for major in $(POSTGRES); do \
		bin="$$($(BIN) postgres --major $$major --project $(TARGET)/postgres)"; echo "PostgreSQL $$major: $$bin"; \
		COUNTERFOIL_PG_BIN="$$bin" PATH="$$bin:$$PATH" $(CARGO) test --workspace --profile $(PROFILE) $(FEATURES) --test it -- $(ON_POSTGRES); \
	done

# The main path of the suite, each test in a database of its own over all nodes. What is skipped plants triggers, rules or locks
# over all shops, which Citus does not take.
ON_CITUS = citus:: settlement:: promises:: http_api:: feed:: relay:: tree:: bundle:: erasure:: access:: \
	auditor::an_auditor operators::what_an \
	--skip a_fact_that_cannot_be_stored --skip a_login_that_reads_with_sql --skip a_log_a_tree_or_a_key \
	--skip a_publication_that_is_cut --skip whatever_step_of_an_integration --skip the_uses_of_many_keys
test-citus: build ## The main path over a Citus cluster: make test-citus CITUS_URL='host=.. user=postgres dbname=..'
ifeq ($(CITUS_URL),)
	@echo "skipped: no Citus (make test-citus CITUS_URL='host=.. user=postgres dbname=..')"
else
	CITUS_URL="$(CITUS_URL)" $(CARGO) test --profile $(PROFILE) --workspace --test it -- --test-threads 2 --include-ignored $(ON_CITUS)
endif

# First what breaks on purpose, then what breaks by chance: half of the time for each kind.
hunt: build mutants ## Mutants, a million histories and faults on three instances, for HUNT seconds
	COUNTERFOIL_HUNT_SECONDS=$$(( $(HUNT) / 2 )) $(CARGO) test --profile $(PROFILE) -p simulation -- a_million --ignored --nocapture
	PATH="$$($(BIN) postgres):$$PATH" COUNTERFOIL_HUNT_SECONDS=$$(( $(HUNT) / 2 )) $(CARGO) test --profile $(PROFILE) --workspace --test it -- three_instances --nocapture

mutants: build ## Break the code on purpose, and see that the tests notice: make mutants MUTANTS="fence_without_epoch"
	PATH="$$($(BIN) postgres):$$PATH" PROFILE=$(PROFILE) tests/mutants/run.py $(MUTANTS)

# As root: mounting file systems and breaking system calls is most of it.
FAULT_TESTS = $(CARGO) test --profile $(PROFILE) -p integration-tests $(FEATURES) --test it -- --ignored --nocapture

faults: build ## Every fault of the catalogue that can be made here: make faults FAULTS=F11,F14 SEED=7
	PATH="$$($(BIN) postgres):$$PATH" COUNTERFOIL_FAULTS_LONG=1 COUNTERFOIL_FAULTS=$(FAULTS) COUNTERFOIL_SEED=$(SEED) $(FAULT_TESTS) no_fault_of_the_catalogue

soak: build ## Faults by chance for HOURS, while memory and tables are watched
	PATH="$$($(BIN) postgres):$$PATH" COUNTERFOIL_SOAK_HOURS=$(HOURS) COUNTERFOIL_SEED=$(SEED) $(FAULT_TESTS) hours_of_faults

# `cargo install --locked cargo-fuzz`, and nightly Rust for its sanitizer. What is found on the way stays beside the build.
FOUND := $(TARGET)/fuzz/found
fuzz: ## Random bytes for every parser, MINUTES each: make fuzz MINUTES=1 FUZZERS="body note"
	@for fuzzer in $(FUZZERS); do \
		mkdir -p $(FOUND)/$$fuzzer; \
		words=tests/fuzz/words/$$fuzzer; \
		$(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz --target-dir $(TARGET)/fuzz $$fuzzer \
			$(FOUND)/$$fuzzer tests/fuzz/corpus/$$fuzzer -- -max_total_time=$$(( $(MINUTES) * 60 )) -timeout=10 \
			-max_len=16384 -print_final_stats=1 -artifact_prefix=$(FOUND)/$$fuzzer- $$(test ! -e $$words || echo -dict=$$words) || exit 1; \
	done

fuzz-check: # They are a workspace of their own, which nothing else compiles.
	$(CARGO) check --manifest-path tests/fuzz/Cargo.toml --target-dir $(TARGET) --profile $(PROFILE)

bench: ## Measure against the plain transaction: make bench BENCH="--quick -o json"
	$(CARGO) build --release -p counterfoil
	@exec $(TARGET)/release/counterfoil bench $(BENCH)

clean-dev: ## Remove the data, keys and certificates of `make run`
	rm -rf .counterfoil

schema-dump: build ## Write sql/schema.sql anew from the migrations
	PATH="$$($(BIN) postgres):$$PATH" SCHEMA_DUMP=write $(CARGO) test --profile $(PROFILE) --workspace --test it schema

contract-dump: ## Write crates/delivery/contract.json anew; refuses what is not only added
	CONTRACT_DUMP=write $(CARGO) test --profile $(PROFILE) -p delivery contract
