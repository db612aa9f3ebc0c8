# Targets for people and for .ci/run. 'make help' lists them.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 60s

help:   ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile
build:  ## Build the program
	go build -o keyturn ./cmd/keyturn
test:   ## Run the tests
	go test -shuffle=on ./...
race:   ## Run the tests with the race detector
	go test -race -shuffle=on ./...
fuzz:   ## Run every fuzz target for FUZZTIME
	@set -e; go list ./... | while read -r pkg; do \
	  go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' | while read -r f; do \
	    echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$pkg"; done; done
mutants: ## Show that the simulation catches every mutant
	go test -count=1 -run MutantsAreCaught -v ./cmd/keyturn/internal/sim
lint:   ## Vet, staticcheck, gofmt, tidiness
	go vet ./...
	go run $(STATICCHECK) ./...
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go mod tidy -diff
check: lint race demo gcloud node  ## All that .ci/run checks
deploy-check: ## Check what deploys keyturn, and say when each job fires
	go test -count=1 -v -run '^TestDeploy' .
	go test -count=1 ./deploy/terraform
licences: ## List what the functions are made of, with licences, in docs/licences.md
	go test -count=1 -run '^TestLicences$$' . -update
reproducible: ## Build the functions in two directories and compare them
	go test -count=1 -v -run '^TestTheBuildIsReproducible$$' .
demo:   ## Run the whole job once
	go run ./cmd/keyturn demo
local:  ## Run keyturn and an embedded Google Cloud until Ctrl-C
	go run ./cmd/keyturn local
gcloud: build ## Have Google's own command line judge the embedded cloud and a rotation
	judges/gcloud.sh
node: build ## Have Google's Node clients judge the embedded cloud
	judges/node.sh

.PHONY: help build test race fuzz lint check deploy-check licences reproducible demo local gcloud node
