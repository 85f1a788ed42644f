# Every target sets up what it needs. Start with `make run`, or `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# `make … PYTHON=python3.12` takes that Python. Without it, developing is on 3.11 alone, and running on the newest that
# there is.
PYTHON ?=
DEVELOPING_PYTHONS := $(or $(PYTHON),python3.11)
RUNNING_PYTHONS := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)
BIN := .venv/bin
# Modules are compiled once, also where a container's image says that nothing compiled is kept: a command would take two
# seconds to start.
unexport PYTHONDONTWRITEBYTECODE
# The service and, by its path, the client that it depends on.
PROJECTS := pyproject.toml clients/python/pyproject.toml
PROTO_FILES := $(sort $(wildcard protos/prepaid/billing/v1/*.proto))
# googleapis-common-protos brings google/rpc/status.proto.
CODEGEN_PROTOS = $$($(CURDIR)/build/codegen/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')

# $(1): Pythons to try, $(2): environment, lock and options. A Python counts when it runs, fits and can make
# environments.
define install
	@for python in $(1); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
				2>/dev/null; then \
			exec "$$python" -m supply_chain.install $(2); \
		fi; \
	done; \
	echo "no Python that fits is here (tried $(1)): it takes one of 3.11 to 3.14 with venv" \
		"(Debian and Ubuntu: python3-venv)." >&2; \
	echo "PYTHON= names another: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; \
	exit 1
endef

.PHONY: help
help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/.installed ## Create .venv with every dependency, locked by hash

# A Python that is named is asked for: an environment of another one is made anew.
.PHONY: named
.venv/.installed: supply_chain/constraints.txt $(PROJECTS) $(if $(PYTHON),named)
	$(call install,$(DEVELOPING_PYTHONS),.venv supply_chain/constraints.txt --editable)

# What running needs, apart from what developing needs: a third of the packages, and any Python.
.run/.installed: supply_chain/constraints-run.txt $(PROJECTS) $(if $(PYTHON),named)
	$(call install,$(RUNNING_PYTHONS),.run supply_chain/constraints-run.txt --editable)

# Environments of their own. codegen: grpcio-tools pins protobuf to the major version that it was built with. supply:
# what looks after dependencies is none of them.
build/%/.installed: supply_chain/constraints-%.txt
	$(call install,$(DEVELOPING_PYTHONS),build/$* $<)

# $(1): folder that gets the stubs, from the repository's root.
define generate
	mkdir -p $(1)
	cd protos && PATH="$(CURDIR)/build/codegen/bin:$$PATH" python -m grpc_tools.protoc -I. -I$(CODEGEN_PROTOS) \
		--python_out=$(CURDIR)/$(1) --grpc_python_out=$(CURDIR)/$(1) \
		--mypy_out=quiet:$(CURDIR)/$(1) --mypy_grpc_out=quiet:$(CURDIR)/$(1) \
		$(PROTO_FILES:protos/%=%)
	cd $(1) && for stub in prepaid/billing/v1/*_pb2_grpc.py; do grep -q Servicer $$stub || rm $$stub $${stub}i; done
endef

# $(1): folder with protos/ in it, $(2): the image to write.
define image
	cd $(1)/protos && $(CURDIR)/build/codegen/bin/python -m grpc_tools.protoc -I. -I$(CODEGEN_PROTOS) \
		--include_imports --include_source_info -o $(CURDIR)/$(2) prepaid/billing/v1/*.proto
endef

.PHONY: proto
proto: build/codegen/.installed ## Generate the stubs from protos/ again
	rm -f protos/prepaid/billing/v1/*_pb2*
	$(call generate,protos)

# 0.1.0 named no packages of other languages, so that naming them breaks nobody.
BREAKING = {"version":"v2","breaking":{"use":["FILE"],"except":["FILE_SAME_GO_PACKAGE","FILE_SAME_JAVA_PACKAGE",\
	"FILE_SAME_JAVA_MULTIPLE_FILES","FILE_SAME_JAVA_OUTER_CLASSNAME","FILE_SAME_CSHARP_NAMESPACE"]}}

# An image in protos/released for each release: `make proto-release VERSION=0.2.0` adds the next one.
.PHONY: proto-check
proto-check: setup build/codegen/.installed ## Stubs fit the protos, the protos are clean, and break no released client
	rm -rf build/stubs && $(call generate,build/stubs)
	for stub in build/stubs/prepaid/billing/v1/*_pb2*; do cmp $$stub protos/$${stub#build/stubs/}; done
	$(call image,.,build/now.binpb)
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf lint build/now.binpb --config '{"version":"v2","lint":{"use":["STANDARD","COMMENTS"],"ignore":["google"]}}'
	for released in protos/released/*.binpb; do \
		$(BIN)/buf breaking build/now.binpb --against $$released --config '$(BREAKING)' --exclude-imports; \
	done

.PHONY: proto-release
proto-release: build/codegen/.installed ## Keep the protos of a release, for the check of breaking changes
	cd protos && $(CURDIR)/build/codegen/bin/python -m grpc_tools.protoc -I. -I$(CODEGEN_PROTOS) \
		--include_imports -o released/$(VERSION).binpb prepaid/billing/v1/*.proto

.PHONY: format
format: setup ## Format and mend what can be mended
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: setup proto-check ## Style, types, architecture, protos, length of sentences
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.architecture.prose

# What tests of the page, of `stripe trigger` and of the alerts need besides Python. Where it can't be had, they are
# skipped, and the run says so. Prometheus, PostgreSQL and pgbouncer are unpacked and not installed: their packages
# would start servers.
.PHONY: test-tools
test-tools:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
		|| echo "no chromium here: the browser tests will be skipped"
	@ls build/stripe-cli/node_modules/@stripe/cli-*/bin/stripe >/dev/null 2>&1 || { command -v npm >/dev/null && \
		mkdir -p build && cp -r tests/sandbox/stripe_cli/. build/stripe-cli && \
		npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/stripe-cli; } \
		|| echo "no Stripe CLI here: the 'stripe trigger' tests will be skipped"
	@ls build/grpc-js/node_modules/@grpc/grpc-js >/dev/null 2>&1 || { command -v npm >/dev/null && \
		mkdir -p build && cp -r tests/clients/grpc_js/. build/grpc-js && \
		npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/grpc-js; } \
		|| echo "no gRPC for Node here: the test of another language will be skipped"
	@test -x build/prometheus/usr/bin/promtool || command -v promtool >/dev/null || { \
		command -v apt-get dpkg-deb >/dev/null && \
		mkdir -p build/prometheus && cd build/prometheus && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && \
		apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; } \
		|| echo "no promtool here: the tests of the alerts will be skipped"
	@{ { test -x build/postgresql/usr/sbin/pgbouncer || command -v pgbouncer >/dev/null; } && \
		ls {build/postgresql/,/}usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; } || { \
		command -v apt-get dpkg-deb >/dev/null && \
		mkdir -p build/postgresql/partial && cd build/postgresql && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && \
		apt-get install -qq -y --no-install-recommends --download-only -o Dir::Cache::archives="$$PWD" -o Debug::NoLocking=1 \
			pgbouncer postgresql >/dev/null && for package in *.deb; do dpkg-deb -x $$package .; done && rm *.deb; } \
		|| echo "no pgbouncer or PostgreSQL of Debian here: the tests of poolers and of one more PostgreSQL will be skipped"

# One more than two cores: tests wait for processes, servers and deadlines. Files go to workers in the order of
# tests/conftest.py, the long ones first, so that none is left with the last one.
WORKERS = -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: test
test: setup test-tools build/supply/.installed ## Everything that proves the product, in about a quarter of an hour
	$(BIN)/python -m pytest $(WORKERS) -q

.PHONY: test-long
test-long: setup test-tools build/supply/.installed ## The same with long runs of crashes and fuzzing
	BILLING_LONG_TESTS=1 $(BIN)/python -m pytest $(WORKERS) -q

# Exit codes of make are its own; `build/supply/bin/python -m supply_chain audit` exits with clean (0), vulnerable (1)
# or could not look (3).
.PHONY: audit
audit: build/supply/.installed ## Ask for known issues of all that is locked, and for releases too young to lock
	build/supply/bin/python -m supply_chain cooldown
	build/supply/bin/python -m supply_chain audit

.PHONY: sbom
sbom: setup build/supply/.installed ## Write build/sbom.json: what a build is made of, as CycloneDX
	build/supply/bin/python -m supply_chain sbom build/sbom.json

# Releases of supply_chain/constraints.txt stay as they are unless pyproject.toml asks for others; `make lock
# UPGRADE=--upgrade` takes the newest.
.PHONY: lock
lock: build/supply/.installed ## Lock all dependencies by hash, none younger than a week
	build/supply/bin/python -m supply_chain lock $(UPGRADE)
	build/supply/bin/python -m supply_chain wheels
	build/supply/bin/python -m supply_chain cooldown

.PHONY: long-run
long-run: setup ## A thousand agents and a million calls on one account: nothing may be over
	$(BIN)/python -m tests.load.long_run

.PHONY: mutants
mutants: setup ## Sabotage a copy of the code, one defect at a time: a test must notice each
	$(BIN)/python -m tests.mutants.run

.PHONY: bench
bench: setup ## Measure against the no-op and the naive form, in one run
	$(BIN)/python -m tests.bench.run

.PHONY: run
run: .run/.installed ## Run everything here: service, gateway and, without a Stripe key, a stand-in for Stripe
	@.run/bin/billing dev

.PHONY: demo
demo: .run/.installed ## Play the whole story step by step, against `make run` or a stack of its own
	@.run/bin/billing demo --own
