# sondage: build, test and try it. Every target installs what it needs and skips what is done.

SHELL := /bin/bash
OPEN ?= 1

.PHONY: help build web demo test check fmt bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

build: ## the page, the program, the wheel; leaves sondage in .venv/bin
	@scripts/build.sh venv

web: ## the viewer's page only (web/dist)
	@scripts/build.sh web

demo: build ## record two real programs, report, and show the page (OPEN=0: only say where)
	@OPEN=$(OPEN) scripts/demo.sh

test: ## everything: Rust, Python, the page in Chromium, exports in their real readers
	@scripts/sections.sh test

check: ## formats, lints, types and the project's own rules
	@scripts/sections.sh check

fmt: ## write the formats that `check` asks for
	@scripts/build.sh tools
	cargo fmt --all
	.venv/bin/ruff format -q .
	.venv/bin/ruff check -q --fix .

bench: build ## the numbers of docs/benchmarks.md, measured here (about half an hour)
	@bench/run.sh

clean: ## all that was built, but for the caches in ~/.cache/sondage
	rm -rf target .venv demo web/dist web/node_modules bench/out dist
