// Package app holds the use cases of notification: reading and marking what one was told, choosing what to hear,
// telling people of facts, and sending mails.
package app

import (
	"context"

	"connectrpc.com/connect"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

// Membership says whether a person may know what happens in an organization: nil for a member (with the empty
// permission), a NotFound error for anybody else.
type Membership interface {
	Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error
}

// Directory is what identity tells at the moment of sending.
type Directory interface {
	GetUser(context.Context, *identityv1.GetUserRequest) (*identityv1.User, error)
	GetRegistrationMail(context.Context, *identityv1.GetRegistrationMailRequest) (*identityv1.GetRegistrationMailResponse, error)
}

// Devices is what identity tells of devices at the moment of sending.
type Devices interface {
	GetNewDeviceMail(context.Context, *identityv1.GetNewDeviceMailRequest) (*identityv1.GetNewDeviceMailResponse, error)
}

// AccountMails is what identity tells of a mail about an account at the moment of sending.
type AccountMails interface {
	GetPasswordResetMail(context.Context, *identityv1.GetPasswordResetMailRequest) (*identityv1.GetPasswordResetMailResponse, error)
	GetEmailChangeMail(context.Context, *identityv1.GetEmailChangeMailRequest) (*identityv1.GetEmailChangeMailResponse, error)
}

// DeletionMails is what identity tells of a mail about the deletion of an account at the moment of sending.
type DeletionMails interface {
	GetAccountDeletionMail(context.Context, *identityv1.GetAccountDeletionMailRequest) (*identityv1.GetAccountDeletionMailResponse, error)
}

// Invitations is what organization tells at the moment of sending.
type Invitations interface {
	GetInvitationMail(context.Context, *organizationv1.GetInvitationMailRequest) (*organizationv1.GetInvitationMailResponse, error)
}

// Ownership is what organization tells of an offered ownership.
type Ownership interface {
	GetOwnershipMail(context.Context, *organizationv1.GetOwnershipMailRequest) (*organizationv1.GetOwnershipMailResponse, error)
}

// Domains is what organization tells of a domain.
type Domains interface {
	GetDomainMail(context.Context, *organizationv1.GetDomainMailRequest) (*organizationv1.GetDomainMailResponse, error)
}

// Support is what organization tells of a support grant.
type Support interface {
	GetSupportGrantMail(context.Context, *organizationv1.GetSupportGrantMailRequest) (*organizationv1.GetSupportGrantMailResponse, error)
}

// Owners is what organization tells of who owns it.
type Owners interface {
	ListActiveOwners(context.Context, *organizationv1.ListActiveOwnersRequest) (*organizationv1.ListActiveOwnersResponse, error)
}

// Links is what identity tells of the mail that proves an address to link.
type Links interface {
	GetProviderLinkMail(context.Context, *identityv1.GetProviderLinkMailRequest) (*identityv1.GetProviderLinkMailResponse, error)
}

// Mailer hands one mail to a mail server; nil means that the server has taken it.
type Mailer interface {
	Send(ctx context.Context, message mail.Message) error
}

// DataExports says what the mails about an export of somebody's data must say.
type DataExports interface {
	GetDataExportMail(context.Context, *identityv1.GetDataExportMailRequest) (*identityv1.GetDataExportMailResponse, error)
}

// Jobs adds durable work to a transaction.
type Jobs interface {
	Enqueue(ctx context.Context, tx *pg.Tx, args job.Args, options ...job.Option) error
}

// isGone reports that another service no longer has, or never had, what it was asked for.
func isGone(err error) bool { return connect.CodeOf(err) == connect.CodeNotFound }
