# Everything a change must pass, in one command each. `make help` lists them.
# No recipe asks a question: all of them run with stdin closed, in a fresh clone.

CARGO        ?= cargo
PYTHON       ?= python3
FUZZ_SECONDS ?= 600
# All targets of tests/fuzz, or the ones named: make fuzz FUZZ="amf mp4"
FUZZ         ?= $(patsubst tests/fuzz/fuzz_targets/%.rs,%,$(wildcard tests/fuzz/fuzz_targets/*.rs))

.PHONY: help test ci format clippy docs layering tools media fuzz bench micro soak clean-media

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

test: tools media ## Install what the tests lack, generate media once, run every test
	$(CARGO) test --locked

ci: format clippy docs layering test ## What CI runs: format, clippy, docs, layering, every test

format: ## Fail where rustfmt would change something
	$(CARGO) fmt --all -- --check

clippy: ## Lint all targets; warnings are errors
	$(CARGO) clippy --locked --all-targets -- -D warnings

docs: ## Build the documentation; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

layering: ## Check that each module imports only what stands above it
	$(CARGO) test --locked --quiet --test layering

tools: ## Install ffmpeg, rtmpdump, GStreamer, nginx-rtmp, PyAV and SeaweedFS where they are missing
	@PYTHON="$(PYTHON)" sh tests/tools/install.sh

media: tools ## Generate the media of the tests into target/test-media
	@sh tests/media/make.sh

clean-media: ## Remove the generated media
	rm -rf target/test-media

fuzz: ## Fuzz each target for FUZZ_SECONDS (600); FUZZ="amf mp4" names some
	@sh tests/tools/install.sh fuzz
	@test -n "$(FUZZ)" || { echo "make fuzz: no target in tests/fuzz/fuzz_targets" >&2; exit 1; }
	@set -e; for target in $(FUZZ); do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		corpus=tests/fuzz/corpus/$$target; mkdir -p $$corpus; \
		case $$target in flv|mp3|mp4) seeds=tests/media/six ;; *) seeds= ;; esac; \
		$(CARGO) fuzz run --fuzz-dir tests/fuzz --sanitizer none $$target $$corpus $$seeds -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -rss_limit_mb=1024 -timeout=10; \
	done

bench: ## Measure the server beside its peers into benches/RESULTS.md (15 minutes; QUICK=1: 4)
	@CARGO="$(CARGO)" PYTHON="$(PYTHON)" sh benches/side_by_side.sh

soak: tools media ## Play for SOAK_SECONDS (1800) with SOAK_PLAYERS (1000): does anything grow?
	$(CARGO) build --locked --release
	@$(PYTHON) -B tests/soak.py

micro: ## Measure the parts beside rml_rtmp and the naive way (6 minutes), as a table
	$(CARGO) bench --locked --bench micro
	@$(PYTHON) benches/micro_table.py
