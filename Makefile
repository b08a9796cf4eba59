# banger: container images in, bootable ext4 root filesystems out.
#
#   cmd/      the tools, a main package each    lib/   the packages they share
#   scripts/  the pipeline, in sh               test/  tests of the built tools

PREFIX ?= /usr/local
GO     ?= go

guest  := banger-init
tools  := $(filter-out $(guest),$(notdir $(wildcard cmd/banger-*)))
sh     := $(wildcard scripts/banger*)
parts  := $(patsubst scripts/%,libexec/banger/%,$(wildcard scripts/*.sh))
names  := $(tools) $(filter-out banger,$(notdir $(sh)))
inits  := $(foreach arch,amd64 arm64,libexec/banger/$(arch)/$(guest))

# Static binaries run on every Linux, whatever its libc.
export CGO_ENABLED = 0

# If git refuses to read the checkout, such as another user's, go build fails to
# stamp the commit: do not stamp it.
vcs     = $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)
build   = $(GO) build -trimpath -ldflags='-s -w'

all: $(tools:%=bin/%) $(inits) $(parts) libexec/banger/complete libexec/banger/completions

bin/%: FORCE
	@$(build) $(vcs) -o $@ ./cmd/$*

# The guest's first process, for each architecture. An initrd contains it: its
# bytes must not depend on the commit.
libexec/banger/%/$(guest): FORCE
	@GOOS=linux GOARCH=$* $(build) -buildvcs=false -o $@ ./cmd/$(guest)

# The parts of the scripts, which they source.
libexec/banger/%.sh: scripts/%.sh
	@install -D -m 644 $< $@

libexec/banger/complete: completions/complete
	@install -D $< $@

# The completions are made from the --help of each tool, run on this host.
help = case $$tool in \
	$(subst $() ,|,$(tools))) $(if $(GOOS)$(GOARCH),GOOS= GOARCH= $(GO) run ./cmd/,bin/)$$tool --help ;; \
	*) scripts/$$tool --help ;; esac

libexec/banger/completions: $(tools:%=bin/%) $(parts) $(sh) completions/table
	@for tool in banger $(names); do { $(help); } | completions/table $$tool || exit; done >$@.new
	@mv $@.new $@

# Tests whose programs are missing are skipped; with CI=true they fail.
test: all
	scripts/deps --test
	$(GO) test -timeout 45m ./...

check: all
	test -z "$$(gofmt -l cmd lib test)"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	scripts/vulncheck
	shellcheck -x scripts/* .ci/run completions/table completions/complete completions/banger.bash
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./lib/...

# Compares flatten and mkext4 with other programs, as ratios: together, from
# layers to ext4 (Layers), and each alone. Fetch compares banger-fetch. BENCH
# selects: Layers, Fetch, Fetch/one/h2, Inflate, Tar, Mkext4Many, Large/dense,
# Verify, Flatten, FlattenImage/gzip, FlattenMany, ...
# BENCH=. includes a million files and files of gigabytes: it needs 30 GB of disk
# in /var/tmp. As root, Flatten and Layers write to memory: 16 GB.
BENCH  ?= Layers|Pipeline|Image|Wide
ROUNDS ?= 5

bench: all
	scripts/deps --test
	$(GO) test ./test -run '^$$' -bench '$(BENCH)' -benchtime $(ROUNDS)x -timeout 3h

# Runs every fuzz target for FUZZTIME. Failing inputs are kept in testdata.
FUZZTIME ?= 1m

fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' lib | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' $$file); do \
			echo $$(dirname $$file) $$target; \
			$(GO) test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target\$$" \
				-fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit; \
		done || exit; \
	done

# Pushes an image of files in the repository and the host's busybox to a registry
# on loopback, pulls it and publishes it. Needs no network.
demo: all
	scripts/deps --demo
	$(GO) run ./test/demo

at_demo = XDG_CACHE_HOME=$(CURDIR)/bin/demo/cache XDG_STATE_HOME=$(CURDIR)/bin/demo/state \
	PATH=$(CURDIR)/bin:$(CURDIR)/scripts:$$PATH

# needs FILE,TARGET is an error unless FILE exists, which make TARGET makes.
published = bin/demo/state/banger/images/demo
needs     = $(if $(shell test -e $(published)/$(1) && echo yes),,$(error run make $(2) first))

# Adds the distribution's kernel, by apt, to what make demo has published.
kernel: all
	$(call needs,rootfs.ext4,demo)
	$(at_demo) banger kernel debian --force demo
	$(at_demo) banger register -f --name demo --kernel-ref demo $(published)/rootfs.ext4

# Where the host has no directory for running machines, they are in that of the
# state (see lib/xdg).
machines = $(or $(XDG_RUNTIME_DIR),/run/user/$(shell id -u))
at_state = $(if $(wildcard $(machines)/.),,XDG_STATE_HOME=$(CURDIR)/bin/demo/state )

boot: all
	$(call needs,rootfs.ext4,demo)
	$(call needs,vmlinux,kernel)
	@name=$$($(at_demo) banger boot -d demo) || exit; \
	printf '\nlog in:  %s\nend it:  %s\n' \
		"$(at_state)bin/banger-ssh $$name" "$(at_state)bin/banger-machine stop $$name"

share = $(DESTDIR)$(PREFIX)/share
bash  = $(share)/bash-completion/completions
zsh   = $(share)/zsh/site-functions
fish  = $(share)/fish/vendor_completions.d

# bash and fish look for completions in a file of the command's name.
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(share)/man/man1 $(share)/man/man7 $(share)/man/man8 $(bash) $(zsh) $(fish)
	install $(tools:%=bin/%) $(sh) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.1 $(share)/man/man1
	install -m 644 man/*.7 $(share)/man/man7
	install -m 644 man/*.8 $(share)/man/man8
	for file in $(inits) libexec/banger/complete; do \
		install -D $$file $(DESTDIR)$(PREFIX)/$$file || exit; \
	done
	install -m 644 $(parts) libexec/banger/completions $(DESTDIR)$(PREFIX)/libexec/banger
	install -m 644 completions/banger.bash $(bash)/banger
	install -m 644 completions/_banger $(zsh)
	install -m 644 completions/banger.fish $(fish)
	for name in $(names); do \
		ln -sf banger $(bash)/$$name && ln -sf banger.fish $(fish)/$$name.fish || exit; \
	done

clean:
	rm -rf bin libexec

FORCE:
.PHONY: all test check bench fuzz demo kernel boot install clean FORCE
