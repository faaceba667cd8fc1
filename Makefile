# malmoi: what a fresh machine needs is Rust and a C compiler; the rest is installed here.

CARGO ?= cargo
MALMOI := target/release/malmoi

.PHONY: help setup build demo test check bench fuzz verify verify-encode verify-export verify-deploy verify-resume verify-hostile verify-fuzz gpu-test gpu-bench cpu-bench clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: ## Install what the build needs and the machine lacks (cmake, a C++ compiler)
	@sh .ci/setup

build: setup ## Build the release binary
	$(CARGO) build --release --locked

demo: build ## Real text to a trained tiny model and a report, on this machine's CPU
	$(MALMOI) run recipes/demo.toml

test: setup ## Run all tests
	$(CARGO) test --release --locked --workspace

check: ## Format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

bench: build ## Throughput of clean + dedup + tokenize, beside peers where they are installed
	sh benches/pipeline/run

verify: verify-encode verify-resume verify-hostile verify-fuzz ## What takes longer than tests should and needs no other program

verify-encode: setup ## Hold the encoders against the libraries on every text of a data folder beside the repository (minutes)
	MALMOI_ALL_DATA=1 $(CARGO) test --release --locked --workspace --lib -- equal_on_all_data --no-capture

verify-export: build ## Open exported models with transformers and llama.cpp, which are installed for it (5 GB)
	sh trainer/testdata/verify

verify-deploy: build ## Hold the files of `malmoi deploy` against hadolint, Kubernetes' schema and systemd, and start llama.cpp with them
	sh tests/data/deploy/verify

verify-resume: setup ## Kill a run at twenty places and continue it (minutes)
	$(CARGO) test --release --locked --workspace --test end-to-end -- --ignored killed_at_twenty

verify-hostile: setup ## Ten million tiny documents in a gigabyte of memory (minutes)
	$(CARGO) test --release --locked --workspace --test end-to-end -- --ignored ten_million

verify-fuzz: setup ## Tens of thousands of mutated inputs for every reader and parser (minutes)
	$(CARGO) test --release --locked --workspace --test end-to-end -- --ignored many_mutations

fuzz: setup ## Every reader and parser under libFuzzer, a minute each: a build of its own, and most of an hour
	fuzz/run

gpu-test: setup ## Hold the kernels for NVIDIA cards against the plain computation (needs a card)
	$(CARGO) test --release --locked -p malmoi-trainer --features cuda --lib -- gpu --test-threads 1

gpu-bench: setup ## Training steps on a card, beside PyTorch where python3 has it
	sh benches/train/run

cpu-bench: setup ## Training steps on the processor, beside PyTorch where python3 has it
	sh benches/train/run-cpu

clean: ## Remove build and run outputs
	$(CARGO) clean
	rm -rf out
