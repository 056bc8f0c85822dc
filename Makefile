# Two commands for newcomers; everything else is plain Cargo (see CONTRIBUTING.md).
#
#   make demo          a real Kafka, sample hospital events, the service, and what arrived; until Ctrl-C
#   make demo ONCE=1   the same, and ends by itself
#   make test          all tests, against a real Kafka that they start themselves
#   make instructions  instructions per event of the pure part, compared with their bounds (needs valgrind)
#   make check-tools   only checks (and, as root on Debian or Ubuntu, installs) what the build and the tests need

.PHONY: demo test instructions instructions-bounds check-tools

demo: check-tools
	cargo demo $(if $(filter-out 0,$(ONCE)),--once)

test: check-tools
	cargo test --workspace
	# The same binary with places that crash and fail when they are told to.
	cargo test --package integration-tests --features fail-points --test fail_points

instructions:
	cargo run --quiet --release --package integration-tests --bin count-instructions

# After a change that is worth what it costs, or that saves: new bounds.
instructions-bounds:
	cargo run --quiet --release --package integration-tests --bin count-instructions -- --write

check-tools:
	@sh scripts/check-tools.sh
