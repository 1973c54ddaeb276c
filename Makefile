# The commands of the project. Nothing needs to be set up before: Go (and for the clients' tests Python 3) is enough.

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X github.com/stackgate/stackgate/internal/cli.Version=$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
export CGO_ENABLED := 0

.PHONY: build dev demo test test-real check bench docs release

build: ## bin/stackgate
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/stackgate ./cmd/stackgate

dev: build ## run everything on loopback with the embedded cloud; state and openrc in .stackgate/
	bin/stackgate dev

demo: build ## play the guide from end to end and exit
	bin/stackgate demo

test: ## all tests
	$(GO) test -timeout 25m ./...

test-real: ## the tests with real services of Debian's packages, which it installs (as root) and runs on loopback, and with Terraform, which it builds
	sh scripts/real-packages.sh
	STACKGATE_REAL=1 $(GO) test -count=1 -timeout 20m -run '^TestReal' ./...

check: ## formatting, vet, staticcheck, known vulnerabilities (where the database is reachable), go.mod
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@sh scripts/vulncheck.sh $(GO) $(GOVULNCHECK)
	$(GO) mod tidy -diff

bench: build ## the figures of docs/performance.md
	sh scripts/bench.sh

docs: build ## the pages that are made: docs/commands.md and docs/operations
	bin/stackgate reference >docs/commands.md
	mkdir -p docs/operations
	for s in compute block-storage image network object-store ai-training; do \
	  bin/stackgate operation list --service $$s --markdown >docs/operations/$$s.md || exit 1; done

release: ## static binaries in dist/
	for arch in amd64 arm64; do GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' \
	  -o dist/stackgate-$(VERSION)-linux-$$arch ./cmd/stackgate || exit 1; done
	cd dist && sha256sum stackgate-$(VERSION)-linux-* > SHA256SUMS
