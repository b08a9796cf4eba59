# banger: container images in, bootable ext4 root filesystems out.
#
#   cmd/      the tools, a main each        lib/    what they think with
#   scripts/  the pipeline, in sh           test/   the tools, judged by others

PREFIX ?= /usr/local
GO     ?= go

guest  := banger-init
tools  := $(filter-out $(guest),$(notdir $(wildcard cmd/banger-*)))
sh     := $(wildcard scripts/banger*)
read   := $(patsubst scripts/%,libexec/banger/%,$(wildcard scripts/*.sh))
inits  := $(foreach arch,amd64 arm64,libexec/banger/$(arch)/$(guest))

# Static binaries: no libc to match, so one build runs on every Linux.
export CGO_ENABLED = 0

all: $(tools:%=bin/%) $(inits) $(read)

bin/%: FORCE
	@$(GO) build -trimpath -o $@ ./cmd/$*

# The guest's first process, for each architecture a guest may have. It is part
# of what an initrd's bytes are made of: neither symbols nor the commit.
libexec/banger/%/$(guest): FORCE
	@GOOS=linux GOARCH=$* $(GO) build -trimpath -buildvcs=false -ldflags='-s -w' -o $@ ./cmd/$(guest)

# What the scripts read.
libexec/banger/%.sh: scripts/%.sh
	@install -D -m 644 $< $@

# All that a change must pass. Tests that need a program that is not there are
# skipped, with CI=true they fail.
test: all
	scripts/deps --test
	$(GO) test -timeout 45m ./...

check: all
	test -z "$$(gofmt -l cmd lib test)"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	scripts/vulncheck
	shellcheck -x scripts/* .ci/run
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./lib/...

# flatten and mkext4 beside what one would use instead, as ratios: both together,
# from layers to ext4 (Layers), and each alone. BENCH=. has also a million files,
# and files of gigabytes: it needs 30 GB of disk below /var/tmp. A part has a name:
# BENCH=Layers, BENCH=Inflate, BENCH=Tar, BENCH=Mkext4Many, BENCH=Large/dense, BENCH=Verify,
# BENCH=Flatten, BENCH=FlattenImage/gzip, BENCH=FlattenMany. What Flatten and Layers
# make is in memory, as root: 16 GB of it.
BENCH  ?= Layers|Pipeline|Image|Wide
ROUNDS ?= 5

bench: all
	scripts/deps --test
	$(GO) test ./test -run '^$$' -bench '$(BENCH)' -benchtime $(ROUNDS)x -timeout 3h

# Every fuzz target, each for so long. What one finds it leaves in testdata.
FUZZTIME ?= 1m

fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' lib | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' $$file); do \
			echo $$(dirname $$file) $$target; \
			$(GO) test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target\$$" \
				-fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit; \
		done || exit; \
	done

# An image from files in the repository, from a registry on loopback, all the
# way to a published root filesystem. Needs no network.
demo: all
	scripts/deps
	$(GO) run ./test/demo

# A kernel for what make demo has published, the distribution's own, by apt; and
# up it comes.
at_demo = XDG_CACHE_HOME=$(CURDIR)/bin/demo/cache XDG_STATE_HOME=$(CURDIR)/bin/demo/state \
	PATH=$(CURDIR)/bin:$(CURDIR)/scripts:$$PATH

kernel: all
	$(at_demo) banger kernel debian --force demo
	$(at_demo) banger register -f --name demo --kernel-ref demo bin/demo/state/banger/images/demo/rootfs.ext4

boot: all
	$(at_demo) banger boot demo

install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/man/man7 share/man/man8)
	install $(tools:%=bin/%) $(sh) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	for file in $(inits) $(read); do \
		install -D $$file $(DESTDIR)$(PREFIX)/$$file || exit; \
	done

clean:
	rm -rf bin libexec

FORCE:
.PHONY: all test check bench fuzz demo kernel boot install clean FORCE
