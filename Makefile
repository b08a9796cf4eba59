# banger: container images in, bootable ext4 root filesystems out.
#
#   cmd/      the tools, a main each        lib/    what they think with
#   scripts/  the pipeline, in sh           test/   the tools, judged by others

PREFIX ?= /usr/local
GO     ?= go

tools  := $(notdir $(wildcard cmd/banger-*))
sh     := $(wildcard scripts/banger*)

# Static binaries: no libc to match, so one build runs on every Linux.
export CGO_ENABLED = 0

all: $(tools:%=bin/%)

bin/%: FORCE
	@$(GO) build -trimpath -o $@ ./cmd/$*

# All that a change must pass. Tests that need a program that is not there are
# skipped, with CI=true they fail.
test: all
	scripts/deps --test
	$(GO) test ./...

check: all
	test -z "$$(gofmt -l cmd lib test)"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	scripts/vulncheck
	shellcheck scripts/* .ci/run
	CGO_ENABLED=1 $(GO) test -race ./lib/...

# flatten and mkext4 beside what one would use instead, as ratios.
bench: all
	scripts/deps --test
	$(GO) test ./test -run '^$$' -bench . -benchtime 5x

# An image from files in the repository, from a registry on loopback, all the
# way to a published root filesystem. Needs no network.
demo: all
	scripts/deps
	$(GO) run ./test/demo

install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/man/man7)
	install $(tools:%=bin/%) $(sh) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7

clean:
	rm -rf bin

FORCE:
.PHONY: all test check bench demo install clean FORCE
