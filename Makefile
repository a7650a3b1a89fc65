# labnet: see README.md. Every target works on a fresh machine with Go and make.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

export CGO_ENABLED ?= 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOFLAGS_BUILD := -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
TOOL := go tool -modfile=tools/go.mod
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

# Real peers of the tests: Debian packages, installed when root and missing.
PACKAGES := nftables iproute2 iputils-ping bind9 bind9-dnsutils udhcpc isc-dhcp-client dhcpcd5 \
            netcat-openbsd strace tcpdump conntrack sqlite3 procps dnsmasq-base kea-dhcp4-server isc-dhcp-server busybox util-linux gcc libc6-dev systemd \
            tmux unbound knot-dnsutils ldnsutils musl-tools iptables ufw firewalld
# Installed, the first would take over the machine's own /etc/resolv.conf, and the second would run.
UNPACKED := systemd-resolved prometheus

# The peers of bench-dhcp, bench-dns and bench-nat, which no other target needs.
BENCH_PACKAGES := kea-dhcp4-server kea-admin dnsmasq-base
BENCH_NAT_PACKAGES := iperf3 iptables conntrack
BENCH_DNS_PACKAGES := dnsmasq-base unbound knot-resolver dnsdist bind9 dnsperf gcc libc6-dev

# Emulated machines with their firmware and disks, and Kea's tester: for test-long alone.
LONG_PACKAGES := qemu-system-x86 ipxe-qemu ovmf e2fsprogs kea-admin debootstrap lintian man-db
# Those of internal/e2e with the build tag long that need no kernel of their own.
LONG_TESTS := TestFloodOfAMillion|TestROMThenSystem|TestDeclinedByDhcpcd|TestRealClientsRenewAndRebind|TestPerfdhcp|TestGivenBackIsGivenOnce|TestNetworkBootInFirmware|TestKilledTwoHundredTimes|TestAMillionBlockedNames|TestBlockedNamesCostWhatCachedOnesDo
# The oldest kernel that the README promises (5.10), and the one that most hosts have (6.1).
KERNELS ?= bullseye bookworm
KERNEL_TESTS := TestDebianKernel|TestMissingModules|TestKernelsOnTAPs|TestKernelsOnTheLAN
# The Debian package, in a fresh Debian 12, and in one that systemd boots.
PACKAGE_TESTS := TestPackage
# What labnet's state outlives, in an emulated machine with the last of these kernels.
STATE_TESTS := TestPowerCuts|TestTheClockIsSet

# Long tests of code in one goroutine: under the race detector they take ten times as long, and it has nothing to find.
SEQUENTIAL := ^(TestRecover|TestRandomSequences|TestInterruptedRecovery|TestALongCommit|TestEveryMomentIsRecoverable|TestRecoveryOnAFullDisk|TestHistoryWithWhatIsInTheLog|TestCondensedHistoryIsTheSame)$$

# What `make fuzz` gives each fuzz target, and where it looks for them.
FUZZTIME ?= 10m
FUZZ_IN ?= .

.PHONY: build package run test test-deps test-long lint fuzz docs bench bench-dhcp bench-dns bench-nat clean

build: ## the binary, bin/labnet
	go build $(GOFLAGS_BUILD) -o bin/labnet ./cmd/labnet

package: ## the Debian package, dist/labnet_VERSION_ARCH.deb
	tools/package $(VERSION)

run: build ## bring up examples/routed.hcl on this machine
	$(ROOT) bin/labnet run -c examples/routed.hcl

test-deps:
	tools/test-deps $(PACKAGES)
	tools/unpack bin/peers $(UNPACKED)

# The tests of the whole mostly wait for clients, so three parts of them run beside the tests of the parts; each has namespaces of its own. The
# race detector looks at the daemon's code: in the parts, and at the end in a daemon built with it. The longest part begins first.
test: test-deps build lint ## everything: as root nothing is skipped
	if [ "$$(id -u)" = 0 ]; then export LABNET_TEST_NO_SKIP=1; fi; \
	export CGO_ENABLED=1 LABNET_BINARY="$$PWD/bin/labnet"; failed=0; shards=; \
	for initials in A-C D-M N-Z; do \
		go test -count=1 -timeout 40m -run "^Test[$$initials]" ./internal/e2e & shards="$$shards $$!"; \
	done; \
	go test -race -p 2 -count=1 -timeout 30m -skip '$(SEQUENTIAL)' ./netcfg $$(go list ./... | grep -v -e /internal/e2e -e /netcfg) || failed=1; \
	go test -count=1 -run '$(SEQUENTIAL)' ./leases || failed=1; \
	for shard in $$shards; do wait $$shard || failed=1; done; [ $$failed = 0 ]; \
	go build -race -o bin/labnet-race ./cmd/labnet; \
	LABNET_BINARY="$$PWD/bin/labnet-race" go test -timeout 14m -count=1 -run 'TestRealClients|TestKilled|TestReload|TestHooks' ./internal/e2e

test-long: build ## a million hostile guests, ten million forged answers, boot ROMs, slow clients, 200 times kill -9, 20 power cuts, the kernels of Debian 11 and 12; half an hour
	tools/test-deps $(PACKAGES) $(LONG_PACKAGES)
	go test -tags long -c -o bin/e2e-long.test ./internal/e2e
	go test -tags long -count=1 -timeout 10m -v -run 'TestSpoofing' ./dnsserver
	if [ "$$(id -u)" = 0 ]; then export LABNET_TEST_NO_SKIP=1; fi; \
	cd internal/e2e && LABNET_BINARY="$(CURDIR)/bin/labnet" ../../bin/e2e-long.test -test.v -test.timeout 30m -test.run "$(LONG_TESTS)"
	package="$$PWD/$$(tools/package $(VERSION) | tail -n 1)"; \
	lintian --fail-on error,warning "$$package"; \
	export LABNET_BINARY="$$PWD/bin/labnet" LABNET_PACKAGE="$$package" TESTS="$(PACKAGE_TESTS)"; \
	tools/with-debian-root tools/with-debian-kernel bookworm \
		sh -c 'cd internal/e2e && exec ../../bin/e2e-long.test -test.v -test.timeout 40m -test.run "$$TESTS"'
	for release in $(KERNELS); do \
		tests="$(KERNEL_TESTS)"; \
		[ $$release != $(lastword $(KERNELS)) ] || tests="$$tests|$(STATE_TESTS)"; \
		LABNET_BINARY="$$PWD/bin/labnet" TESTS="$$tests" tools/with-debian-kernel $$release \
			sh -c 'cd internal/e2e && exec ../../bin/e2e-long.test -test.v -test.timeout 60m -test.run "$$TESTS"'; \
	done

lint:
	go vet ./...
	go vet -tags long ./internal/e2e ./dnsserver
	go vet -tags man ./cmd/labnet
	$(TOOL) staticcheck ./...
	@out="$$($(TOOL) gofumpt -l .)"; [ -z "$$out" ] || { echo "not formatted by gofumpt:"; echo "$$out"; exit 1; }

fuzz: ## every fuzz target for FUZZTIME, one by one; a finding lies in the package's testdata, and fails its tests from then on
	grep -rl '^func Fuzz' --include='*_test.go' $(FUZZ_IN) | sort | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' "$$file"); do \
			echo "$$target of $$(dirname "$$file"), $(FUZZTIME)"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
		done; \
	done

bench: ## the benchmarks of the parts
	go test -run '^$$' -bench . -benchmem ./...

# BENCH_FLAGS="-write docs/performance.md" puts the results into the document.
bench-dhcp: build ## DHCP beside Kea and dnsmasq, in namespaces, as root; a quarter of an hour
	tools/test-deps $(BENCH_PACKAGES)
	go run ./bench/dhcp $(BENCH_FLAGS)

bench-dns: build ## DNS beside dnsmasq, Unbound, Knot Resolver, dnsdist, BIND and CoreDNS, in namespaces, as root; half an hour
	tools/test-deps $(BENCH_DNS_PACKAGES)
	go run ./bench/dns $(BENCH_FLAGS)

bench-nat: build ## NAT beside a plain iptables masquerade, in namespaces, as root; five minutes
	tools/test-deps $(BENCH_NAT_PACKAGES)
	go run ./bench/nat $(BENCH_FLAGS)

docs: ## the configuration reference, from the schema, the description of the API, and the list of dnsmasq's directives
	go test ./internal/config -run TestReferenceIsCurrent -update
	go test ./internal/control -run TestTheDescriptionIsCurrent -update
	go test ./internal/migrate/dnsmasqconf -run TestDirectivesAreDocumented -update

clean:
	rm -rf bin dist
