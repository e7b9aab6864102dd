# The OpenID provider that the tests of login by others sign people in at: somebody else's, from npm, with the hashes of
# the lock file.
OIDC_PROVIDER := tools/oidc/node_modules/.package-lock.json

$(OIDC_PROVIDER): tools/oidc/package.json tools/oidc/package-lock.json
	npm ci --prefix tools/oidc --ignore-scripts --no-audit --no-fund
	@touch $@

test race: $(OIDC_PROVIDER)
