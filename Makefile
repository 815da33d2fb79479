# Two commands do all the set-up on a fresh Debian or Ubuntu machine that has Rust: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Nothing here may find real credentials.
export AWS_EC2_METADATA_DISABLED := true
export AWS_ACCESS_KEY_ID := test
export AWS_SECRET_ACCESS_KEY := test
export AWS_REGION := us-east-1

DR := target/debug/dr

HISTORIES ?= 100000

.PHONY: help build demo demo-hard test simulate soak nextest guards mutants fuzz test-deps demo-deps lint deny bench

help: ## Lists what can be made.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## Builds the command.
	cargo build --package dr

demo: demo-deps build ## A region dies under load and its service comes back in the other one.
	examples/demo/demo.sh $(DR)

demo-hard: demo-deps build ## The same with the region and its control cut off, and the guard that meets it when it returns.
	examples/demo/demo-hard.sh $(DR)

# Most tests wait for servers: two of them for each core.
test: test-deps ## Installs what the tests need and runs all of them.
	cargo build --workspace --all-targets
	if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --workspace --no-fail-fast --test-threads $$((2 * $$(nproc))) && cargo test --workspace --doc; \
	else \
	  cargo test --workspace --no-fail-fast; \
	fi

simulate: ## Lives a hundred thousand random histories of random plans and checks every promise in each (HISTORIES=…).
	DR_HISTORIES=$(HISTORIES) cargo test --release --package dr-testkit --test simulation -- --nocapture

soak: test-deps ## SIGKILL at every event of every move on real servers: hours; DR_EVENTS=12..17 is some of them.
	DR_EVERY_EVENT=1 cargo test --package dr --test e2e --test seeds --test aws any_event -- --nocapture --test-threads=1

nextest:
	cargo nextest --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-nextest

guards: nextest ## Switches the engine's guards off one at a time: the suites have to go red for each (writes docs/GUARDS.md).
	scripts/guards.py

mutants: nextest ## Changes the engine, the journal and the checks in every small way: the suites have to notice (OF=src/check is a part).
	cargo mutants --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-mutants
	DR_HISTORIES=200 cargo mutants $(if $(OF),--re '$(OF)') --output target

lint: ## Formats, clippy and docs, warnings denied.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

fuzz: ## Feeds hostile bytes to every reader of bytes from outside, each for a minute (SECONDS=…).
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
	for target in plan journal evidence manifest objects samples; do \
	  mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target examples/plans -- \
	    -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=2048 -timeout=20; \
	done

deny: ## What may stand in the dependency tree: one TLS stack, known licences, one registry.
	cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
	cargo deny check bans licenses sources

bench: ## The engine's figures of docs/PERFORMANCE.md, which names the commands of the others.
	cargo bench --package dr-testkit

demo-deps:
	scripts/install.sh demo

test-deps:
	scripts/install.sh test
	scripts/kube.sh >/dev/null
	scripts/moto.sh
