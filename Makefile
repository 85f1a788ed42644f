# Every target sets up what it needs. Start with `make run`, or `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
PROTO_FILES := $(sort $(wildcard protos/prepaid/billing/v1/*.proto))
# The oldest grpcio-tools whose stubs run under every supported grpcio and protobuf; it lives in an environment of its own.
CODEGEN_PACKAGES := grpcio-tools==1.76.0 mypy-protobuf==5.1.0 setuptools==80.9.0

.PHONY: help
help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/.installed ## Create .venv with every dependency, locked by hash

.venv/.installed: constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

build/codegen/.installed: Makefile
	$(PYTHON) -m venv build/codegen
	build/codegen/bin/python -m pip install --quiet --disable-pip-version-check $(CODEGEN_PACKAGES) googleapis-common-protos==1.72.0
	touch $@

.PHONY: proto
proto: build/codegen/.installed ## Generate the stubs from protos/ again
	rm -f protos/prepaid/billing/v1/*_pb2*.py protos/prepaid/billing/v1/*_pb2*.pyi
	cd protos && PATH="$(CURDIR)/build/codegen/bin:$$PATH" python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. $(PROTO_FILES:protos/%=%)
	cd protos && for f in prepaid/billing/v1/*_pb2_grpc.py; do grep -q Servicer $$f || rm -f $$f $${f}i; done
	touch protos/prepaid/billing/v1/py.typed

build/now.binpb: build/codegen/.installed $(PROTO_FILES)
	site=$$(build/codegen/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])'); \
	cd protos && ../build/codegen/bin/python -m grpc_tools.protoc -I. -I$$site --include_imports --include_source_info -o ../$@ $(PROTO_FILES:protos/%=%)
