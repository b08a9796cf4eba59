# banger: container images in, bootable ext4 root filesystems out.
PREFIX ?= /usr/local
GO     ?= go

tools  := $(notdir $(wildcard cmd/banger-*))
sh     := scripts/banger scripts/banger-image-pull

# Static binaries: no libc to match, so one build runs on every Linux.
export CGO_ENABLED = 0

all: $(tools:%=bin/%)

bin/%: FORCE
	$(GO) build -trimpath -o $@ ./cmd/$*

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install $(tools:%=bin/%) $(sh) $(DESTDIR)$(PREFIX)/bin

clean:
	rm -rf bin

FORCE:
.PHONY: all install clean FORCE
