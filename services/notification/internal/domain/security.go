package domain

// The kinds of mails about what gets into an account besides the password. They can't be turned off: who did not do it
// must hear of it.
const (
	FactorAdded            Kind = "factor_added"
	FactorRemoved          Kind = "factor_removed"
	FactorSuspected        Kind = "factor_suspected"
	BackupCodesRegenerated Kind = "backup_codes_regenerated"
	BackupCodeUsed         Kind = "backup_code_used"
	ProviderLinked         Kind = "provider_linked"
	ProviderUnlinked       Kind = "provider_unlinked"
	ProviderRefused        Kind = "provider_refused"
	SSOBypassed            Kind = "sso_bypassed"
	Impersonated           Kind = "impersonated"
	FactorsReset           Kind = "factors_reset"
	FactorsResetByOperator Kind = "factors_reset_by_operator"
	OperatorRole           Kind = "operator_role"
)

// The kinds of mails about how an organization's people sign in, and what becomes of it.
const (
	// SSOBroken tells an owner that another one signed in past the required connection.
	SSOBroken Kind = "sso_broken_glass"
	// These tell every owner what one of them, or an admin, has done.
	OrganizationDeletionRequested Kind = "organization_deletion_requested"
	OrganizationDeletionCancelled Kind = "organization_deletion_cancelled"
	PolicyChanged                 Kind = "policy_changed"
	// ProviderLink is the mail that proves an address to link.
	ProviderLink Kind = "provider_link"
)
