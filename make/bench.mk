# The benchmark: floors and product in one run on this machine, about three and a half minutes; docs/benchmarks/latest.md is its
# report. BENCH_FLAGS may hold --directory for another disk.
.PHONY: bench
bench: build ## Measure against bare floors
	$(BRAID) bench --report docs/benchmarks/latest.md $(BENCH_FLAGS)

.PHONY: bench-smoke
bench-smoke: build ## Run the benchmark small: nothing may fail
	$(BRAID) bench --smoke $(BENCH_FLAGS)
