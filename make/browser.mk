# What only a real browser shows: passkeys in Chromium, with its virtual authenticator.
.PHONY: browser
browser: build ## Passkeys in a real Chromium (CHROMIUM names another program)
	BRAID_TEST_BROWSER=$(or $(CHROMIUM),chromium) go test -count=1 -timeout 5m -v ./test/browser
