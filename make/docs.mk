# The browsable API page at /docs: Swagger UI from npm, with the hashes of the lock file, embedded into braid. A build
# without it works; the page then lists the operations by itself.
DOCS_SOURCE := tools/docs/node_modules/swagger-ui-dist
DOCS_TARGET := gateway/docs/swagger
DOCS_FILES := swagger-ui.css swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt LICENSE NOTICE

$(DOCS_TARGET)/swagger-ui-bundle.js: tools/docs/package-lock.json | tools/docs/node_modules/.package-lock.json
	@mkdir -p $(DOCS_TARGET)
	cp $(addprefix $(DOCS_SOURCE)/,$(DOCS_FILES)) $(DOCS_TARGET)/
	@touch $@

.PHONY: docs-page
docs-page: $(DOCS_TARGET)/swagger-ui-bundle.js ## Pack the browsable API page

build: $(DOCS_TARGET)/swagger-ui-bundle.js
