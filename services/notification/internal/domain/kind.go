// Package domain holds what a notification is and who gets which: kinds, channels, preferences, and the rules that
// nobody hears of their own doing and that one event tells each person once. It does no IO.
package domain

// Kind says what a notification or a mail is about.
type Kind string

// The kinds. Those of a person's own account or invitation can't be turned off: without them nobody gets in.
const (
	TaskAssigned      Kind = "task_assigned"
	TaskCommented     Kind = "task_commented"
	TaskStatusChanged Kind = "task_status_changed"
	Invitation        Kind = "invitation"
	Registration      Kind = "registration"
	NewDevice         Kind = "new_device"
	PasswordReset     Kind = "password_reset"
	PasswordChanged   Kind = "password_changed"
	// EmailConfirmation goes to the address that an account is to have, EmailChange to the one it has.
	EmailConfirmation Kind = "email_confirmation"
	EmailChange       Kind = "email_change"
	OwnershipOffer    Kind = "ownership_offer"
	DomainLost        Kind = "domain_lost"
	// SupportGranted tells owners that operators are let in, or have let themselves in; SupportUsed, that one has come.
	SupportGranted Kind = "support_granted"
	SupportUsed    Kind = "support_used"
	// The two of an export are about identity's export.
	DataExportReady  Kind = "data_export_ready"
	DataExportFailed Kind = "data_export_failed"
)

// Channel is a way to reach a person.
type Channel string

// The channels.
const (
	InApp Channel = "in_app"
	Email Channel = "email"
)

// PreferenceKinds lists the kinds a person may turn off, in the order they are shown.
func PreferenceKinds() []Kind { return []Kind{TaskAssigned, TaskCommented, TaskStatusChanged} }

// Channels lists the channels in the order they are shown.
func Channels() []Channel { return []Channel{InApp, Email} }
