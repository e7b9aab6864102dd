package domain

// The kinds of mails about the deletion of an account. They can't be turned off.
const (
	DeletionRequested Kind = "deletion_requested"
	DeletionCancelled Kind = "deletion_cancelled"
	DeletionFailed    Kind = "deletion_failed"
	// AccountDeleted is the last: it is sent before anything is erased.
	AccountDeleted Kind = "account_deleted"
)
