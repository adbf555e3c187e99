# One line per chore; `make` lists them. Needs git, make and python3 >= 3.11; uv is fetched into .tools when it is missing.
.DEFAULT_GOAL := help
SHELL := /bin/sh
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .tools/bin/uv)
RUN := $(UV) run --quiet
REPO ?= .
PORT ?= 8080
BASE ?= python:3.14-slim
TARGET ?= fly
ENGINE ?= flyctl
RELEASE = $(RUN) --package code-insight-deploy code-insight-deploy
# APP= for another app than test001, of which a fly*.toml is; CONFIG= for its file; ARGS= for any option, as --json or --org.
OPTIONS = --base $(BASE) --target $(TARGET) --engine $(ENGINE) $(if $(APP),--app $(APP)) $(if $(CONFIG),--config $(CONFIG)) $(ARGS)

.PHONY: help serve test check format docs image smoke doctor push sbom inspect plan release verify rollback status history audit local-stop bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(UV) ## start the server with this repository, or REPO=<folder or https URL>, at PORT (8080)
	CODE_INSIGHT_PORT=$(PORT) $(RUN) --package code-insight --extra otel code-insight serve $(REPO)

test: $(UV) ## run all tests; those of containers need a Docker engine
	BASE=$(BASE) $(RUN) --all-packages pytest

check: $(UV) ## style, types and import rules
	$(RUN) --all-packages ruff check
	$(RUN) --all-packages ruff format --check
	$(RUN) --all-packages mypy
	$(RUN) --all-packages lint-imports

format: $(UV) ## put the source in order
	$(RUN) --all-packages ruff check --fix
	$(RUN) --all-packages ruff format

docs: $(UV) ## write docs/tools.md, docs/clients.md and docs/faults.md from what they tell of
	$(RUN) --all-packages python docs/generate.py

image: $(UV) ## build the image of HEAD's tree and tag it with its commit
	$(RELEASE) build $(OPTIONS)

smoke: $(UV) ## run that image as a Fly machine would, and check it
	$(RELEASE) smoke $(OPTIONS)

release: $(UV) ## bring this commit to its app and prove it, or roll back; TARGET=local rehearses on this machine
	$(RELEASE) release $(OPTIONS)

doctor: $(UV) ## what a release needs, what of it is missing, and how to get it
	$(RELEASE) doctor $(OPTIONS)

push: $(UV) ## build, smoke, and push to the registry what it does not have
	$(RELEASE) push $(OPTIONS)

sbom: $(UV) ## what is in the image, by the lock: CycloneDX, as JSON
	@$(RELEASE) sbom $(OPTIONS)

inspect: $(UV) ## the manifest of this commit's image, as the registry has it
	$(RELEASE) inspect $(OPTIONS)

plan: $(UV) ## what a release would change
	$(RELEASE) plan $(OPTIONS)

verify: $(UV) ## prove that what answers is the image of this tree
	$(RELEASE) verify $(OPTIONS)

rollback: $(UV) ## bring back the verified release before this one, and prove it
	$(RELEASE) rollback $(OPTIONS)

status: $(UV) ## the app's machines, and what their processes say
	$(RELEASE) status $(OPTIONS)

history: $(UV) ## the releases: when, by whom, which image, how they ended
	$(RELEASE) history $(OPTIONS)

audit: $(UV) ## prove that the ledger is whole, and that what runs is its last verified release
	$(RELEASE) audit $(OPTIONS)

local-stop: $(UV) ## end the platform of TARGET=local, and remove its apps, machines and images
	$(RELEASE) local stop --remove

bench: $(UV) ## print the tables of docs/benchmarks.md that need no container and no network
	$(RUN) --all-packages python benchmarks/start.py
	$(RUN) --all-packages python benchmarks/memory.py

clean: ## remove what the other targets made, indexes included
	rm -rf .venv .tools .code-insight build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# Only when no uv is on the PATH: the wheel from the package index, in a folder of our own.
.tools/bin/uv:
	@echo "uv is missing: installing uv $(UV_VERSION) into .tools"
	@python3 -m venv .tools 2>/dev/null && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	  || { rm -rf .tools; python3 -m pip install --quiet --disable-pip-version-check --target .tools uv==$(UV_VERSION); } \
	  || { rm -rf .tools; echo "Install uv (https://docs.astral.sh/uv), or Python's venv module (Debian: python3-venv)."; exit 1; }
