# The kill tests. DURATION, such as 1h30m, is how long each of them goes on, instead of until it has killed often enough.
# They run one after the other, so the time for all is that of each, with as much again and a little more for looking at
# what a long run has left. KILL_FLAGS may hold -run TestKillAllInOne.
DURATION ?= $(BRAID_TEST_KILL_DURATION)
KILL_TESTS = $(shell cat test/kill/*_test.go | grep -c 'readPlan.t, "')
KILL_SECONDS = $(shell echo $$(( $$(echo '$(DURATION)' | sed 's/h/*3600+/; s/m/*60+/; s/s/+/; s/$$/0/') )))
KILL_TIMEOUT = $(if $(DURATION),$(shell echo $$(($(KILL_TESTS) * (2 * $(KILL_SECONDS) + 600))))s,20m)

.PHONY: kill
kill: build kafka ## Kill processes at random and count what is left (DURATION=1h: each test for so long)
	@[[ '$(DURATION)' =~ ^([0-9]+h)?([0-9]+m)?([0-9]+s)?$$ ]] || { echo "DURATION must be like 1h30m, not $(DURATION)"; exit 1; }
	BRAID_TEST_KILL=1 BRAID_TEST_KILL_DURATION=$(DURATION) go test -count=1 -timeout $(KILL_TIMEOUT) -v $(KILL_FLAGS) ./test/kill
