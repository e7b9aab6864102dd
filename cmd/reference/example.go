package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// One small story runs through all examples, so that what one answers fits into the next: Ada's organization, its
// project WEB and the task that she gave to Ben.
const (
	exampleOrganization = "0198f5a2-6c1e-7b3a-9d41-2f8e5a7c1b01"
	exampleAda          = "0198f5a2-6b90-7c52-8e17-90ab3cd4ef02"
	exampleBen          = "0198f5a3-11d4-7e08-b6c9-51d2e8f0a903"
	exampleProject      = "0198f5a4-0a3b-7d61-a2f4-7c8e9b1d3004"
	exampleTask         = "0198f5a4-2f77-7a1c-9b03-e4d5c6b7a805"
	exampleComment      = "0198f5a5-7c20-7f43-8d12-0a1b2c3d4e06"
	exampleSession      = "0198f5a2-8e55-7b90-a6d7-3e4f5a6b7c07"
	exampleInvitation   = "0198f5a2-f013-7c8d-9e24-b5a697887908"
	exampleFactor       = "0198f5a2-9a4c-7d10-b3c4-5e6f708192a3"
	exampleNotification = "0198f5a4-3c9e-7d05-8af1-6b7c8d9eaf09"
	exampleRecord       = "0198f5a4-3ca1-7bb2-9c56-d8e9fa0b1c0a"
	exampleEvent        = "0198f5a4-2f79-7e6f-b417-2c3d4e5f600b"
	exampleAvatar       = "5b1f8f0c-3a77-4c1e-9d52-7e6a1b2c3d0d"
	exampleRole         = "0198f5a6-1d02-7a44-8b13-c2d3e4f5060d"
	exampleAssignment   = "0198f5a6-2e13-7b55-9c24-d3e4f506170e"
	exampleIdentity     = "0198f5a7-4035-7d77-be46-f5061728392a"
	exampleConnection   = "0198f5a7-3f24-7c66-ad35-e4f50617281f"
	exampleExport       = "0198f5a7-3f24-7c66-ad35-e4f50617285f"
	exampleCorrelation  = "0198f5a4-2f70-7d18-8c39-4e5f6a7b8c0c"
	exampleTeam         = "0198f5a6-1d2e-7f30-8a41-5b6c7d8e9f0d"
	exampleTransfer     = "0198f5a6-2e3f-7041-9b52-6c7d8e9f0a0e"
	exampleGrant        = "0198f5a6-3f40-7152-8c63-7d8e9f0a1b41"
	exampleActing       = "0198f5a6-3f40-7152-8c63-7d8e9f0a1b42"
	exampleOlga         = "0198f5a6-3f40-7152-8c63-7d8e9f0a1b43"
	exampleLink         = "0198f5a6-3f40-7152-8c63-7d8e9f0a1b0f"
	exampleDomain       = "0198f5a6-4051-7263-9d74-8e9f0a1b2c10"
	exampleAccessToken  = "eyJhbGciOiJFZERTQSIsImtpZCI6IjdmM2EifQ.eyJzdWIiOiIwMTk4ZjVhMiJ9.c2lnbmF0dXJl"
	exampleToken        = "0198f5a6-1a2b-7c3d-8e4f-5a6b7c8d9e0d"
	exampleMachine      = "0198f5a6-2b3c-7d4e-9f50-6b7c8d9eaf0e"
	exampleKey          = "0198f5a6-3c4d-7e5f-8a61-7c8d9eafb00f"
	exampleSecret       = "braid_pat_" + "…"
	examplePageToken    = "Q29udGludWUgYWZ0ZXIgV0VCLTEy"
)

// exampleTexts are the values of text fields: by message and field, else by field alone.
var exampleTexts = map[string]string{
	"organization_id": exampleOrganization, "project_id": exampleProject, "task_id": exampleTask,
	"comment_id": exampleComment, "session_id": exampleSession, "invitation_id": exampleInvitation,
	"user_id": exampleBen, "assignee_id": exampleBen, "reporter_id": exampleAda, "author_id": exampleBen,
	"inviter_id": exampleAda, "actor_id": exampleAda, "audit_event_id": exampleRecord, "event_id": exampleEvent,
	"correlation_id":  exampleCorrelation,
	"Organization.id": exampleOrganization, "Project.id": exampleProject, "Task.id": exampleTask,
	"Comment.id": exampleComment, "Session.id": exampleSession, "Invitation.id": exampleInvitation,
	"User.id": exampleAda, "Notification.id": exampleNotification, "AuditEvent.id": exampleRecord, "Role.id": "member",
	"CheckAccessRequest.user_id": exampleBen, "ValidateResponse.user_id": exampleAda,

	"email": "ben@example.com", "User.email": "ada@example.com", "RegisterRequest.email": "ada@example.com",
	"VerifyEmailRequest.email": "ada@example.com", "LoginRequest.email": "ada@example.com",
	"display_name": "Ada Lovelace", "Member.display_name": "Ben Okafor", "Role.display_name": "Member",
	"Organization.display_name": "Analytical Engines", "CreateOrganizationRequest.display_name": "Analytical Engines",
	"Project.display_name": "Web site", "CreateProjectRequest.display_name": "Web site",
	"slug": "analytical-engines", "password": "correct horse battery staple", "code": "482915",
	"access_token": exampleAccessToken, "refresh_token": "r1.Zm9yIHRoZSBleGFtcGxlIG9ubHk", "token_type": "Bearer",
	"current_password": "correct horse battery staple", "new_password": "nine pink elephants dance",
	"new_email": "lovelace@example.com", "ForgotPasswordRequest.email": "ada@example.com",
	"ResendVerificationRequest.email": "ada@example.com", "device_token": "ZGV2aWNlLXRva2VuLWZvci1leGFtcGxl",
	"VerifyEmailRequest.token": "", "RegisterRequest.invitation_token": "",
	"token": "aW52aXRhdGlvbi1leGFtcGxl", "kty": "OKP", "crv": "Ed25519",
	"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "7f3a", "use": "sig", "alg": "EdDSA",
	"user_agent": "Mozilla/5.0", "client_address": "203.0.113.7",
	"role_id": "member", "role_ids": "member", "permissions": "workflow.task.read", "permission": "workflow.task.create",
	"Role.description": "Works on projects: creates, changes and moves tasks.", "reason": "role:member",
	"Project.key": "WEB", "CreateProjectRequest.key": "WEB", "Task.key": "WEB-12", "task_key": "WEB-12",
	"Project.description": "The public site.", "CreateProjectRequest.description": "The public site.",
	"Task.title": "Write the release notes", "CreateTaskRequest.title": "Write the release notes",
	"Notification.title": "Ada Lovelace assigned WEB-12 to you",
	"description":        "Everything since the last release, for people.",
	"status":             "in_progress", "Task.status": "todo", "labels": "docs", "body": "The draft is ready for review.",
	"etag": "1c", "next_page_token": examplePageToken, "page_token": examplePageToken,
	"kind": "task_assigned", "channel": "email", "notification_ids": exampleNotification,
	"action": "workflow.task.assigned", "actor_kind": "user", "resource_type": "task", "resource_id": exampleTask,
	"assignment_id": exampleAssignment, "source_assignment_id": "", "Assignment.id": exampleAssignment, "creator_id": exampleAda,
	"owner_id": exampleAda, "Subject.id": exampleBen, "Scope.id": exampleProject, "Scope.resource_type": "", "Resource.id": exampleTask,
	"Resource.type": "task", "HeldAssignment.team_id": "", "access_revision": "1207", "denied_permissions": "workflow.task.delete",
	"Parent.role_id": "viewer", "Parent.condition": "", "Parent.permissions": "workflow.project.read",
	"condition": "request.secondFactor", "expression": "request.secondFactor", "missing": "The condition must be true: request.secondFactor",
	"unknown":         "request.secondFactor can't be known here; what can't be told does not allow.",
	"permission_name": "payroll.run.approve", "Permission.name": "payroll.run.approve", "Permission.description": "Pays everybody.",
	"CreatePermissionRequest.name": "payroll.run.approve", "CreatePermissionRequest.description": "Pays everybody.",
	"CreateRoleRequest.display_name": "Release manager",
	"custom_permissions":             "payroll.run.approve", "Difference.field": "permissions", "added": "workflow.task.create", "removed": "workflow.task.delete",
	"AuthzenSubject.type": "user", "AuthzenSubject.id": exampleBen, "AuthzenAction.name": "workflow.task.create",
	"AuthzenResource.type": "task", "AuthzenResource.id": exampleTask, "evaluations_semantic": "deny_on_first_deny",
	"policy_decision_point": "https://braid.example.com", "access_evaluation_endpoint": "https://braid.example.com/access/v1/evaluation",
	"access_evaluations_endpoint": "https://braid.example.com/access/v1/evaluations",
	"User.title":                  "Head of Support", "locale": "pt-PT", "time_zone": "Europe/Lisbon", "device": "Firefox on Windows",
	"client": "Firefox", "avatar_id": exampleAvatar, "avatar_path": "/api/v1/avatars/" + exampleAvatar,
	"Avatar.path": "/api/v1/avatars/" + exampleAvatar, "content_type": "image/jpeg",
	"Factor.id": exampleFactor, "CreateTotpFactorResponse.id": exampleFactor, "factor_id": exampleFactor, "name": "Phone",
	"secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "challenge_token": "Y2hhbGxlbmdlLWV4YW1wbGU", "cancellation_token": "Y2FuY2VsbGF0aW9uLWV4YW1wbGU", "backup_codes": "k3v9w-2m8tq",
	"otpauth_uri": "otpauth://totp/Braid:ada@example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Braid",
	"team_id":     exampleTeam, "Team.id": exampleTeam, "parent_team_id": "", "previous_parent_team_id": exampleTeam,
	"Team.display_name": "Engine", "CreateTeamRequest.display_name": "Engine", "TeamMember.display_name": "Ben Okafor",
	"Team.description": "Keeps it turning.", "CreateTeamRequest.description": "Keeps it turning.",
	"FoundOrganization.id": exampleOrganization, "FoundOrganization.display_name": "Analytical Engines", "FoundOrganization.member_count": "12",
	"FoundOrganization.team_count": "3", "SuspendFoundOrganizationRequest.reason": "The bill is unpaid.",
	"suspend_reason": "", "SuspendMemberRequest.reason": "The laptop was lost.",
	"OwnershipTransfer.id": exampleTransfer, "transfer_id": exampleTransfer, "owner_ids": exampleAda,
	"SupportGrant.id": exampleGrant, "support_grant_id": exampleGrant, "SupportGrant.reason": "Ticket 42: invoices are not sent.",
	"CreateSupportGrantRequest.reason": "Ticket 42: invoices are not sent.", "SupportGrant.creator_id": exampleAda, "SupportGrant.operator_id": "",
	"BreakGlassRequest.reason": "The owner can't be reached, and invoices are lost.", "SupportGrant.last_operator_id": exampleOlga,
	"SupportGrant.revoker_id": "", "operator_id": exampleOlga, "operator_role": "support", "Impersonation.id": exampleActing,
	"impersonation_id": exampleActing, "Impersonation.reason": "Ticket 42: what Ben sees.", "Impersonation.user_id": exampleBen,
	"CreateImpersonationRequest.reason": "Ticket 42: what Ben sees.", "CreateImpersonationRequest.user_id": exampleBen, "impersonator_id": "",
	"InvitationLink.id": exampleLink, "invitation_link_id": exampleLink, "email_domain": "example.com",
	"BatchCreateInvitationsResponse.Result.reason": "", "Result.reason": "", "BatchCreateInvitationsResponse.Result.field": "", "Result.field": "", "message": "",
	"Domain.id": exampleDomain, "domain_id": exampleDomain, "Domain.name": "example.com", "CreateDomainRequest.name": "example.com", "JoinableOrganization.name": "example.com", "DomainCreated.name": "example.com", "domain": "example.com",
	"record_name": "_braid-challenge.example.com", "record_value": "braid-verification=k3v9q2m7x1w8t5r4n6p0s2u3yz",
	"auto_join_role_id": "member", "organization_display_name": "Analytical Engines", "owner_display_name": "Ada Lovelace",
	"JoinableOrganization.display_name": "Analytical Engines",
	"last_event_id":                     "41", "filter": "", "order_by": "", "ProjectChange.type": "task.assigned",
	"source": "workflow", "body_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	"confirm_name": "Analytical Engines", "requester_id": exampleAda, "service": "workflow",
	"access_token_id": exampleToken, "AccessToken.id": exampleToken, "service_account_id": exampleMachine, "ServiceAccount.id": exampleMachine,
	"key_id": exampleKey, "ApiKey.id": exampleKey, "scopes": "workflow.task.read",
	"allowed_networks": "203.0.113.0/24", "invitation_domains": "example.com", "last_use_address": "203.0.113.7", "AccessToken.token": exampleSecret,
	"ApiKey.secret": "braid_key_" + "…", "AccessToken.display_name": "Nightly backup", "CreateAccessTokenRequest.display_name": "Nightly backup",
	"ServiceAccount.display_name": "Importer", "CreateServiceAccountRequest.display_name": "Importer", "ApiKey.display_name": "Importer in Berlin",
	"CreateApiKeyRequest.display_name": "Importer in Berlin", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "credential_id": "",
	"Provider.id": "google", "Provider.display_name": "Google", "provider_id": "google", "redirect_uri": "https://braid.example.com/auth/callback",
	"authorization_url": "https://accounts.google.com/o/oauth2/v2/auth?client_id=braid&response_type=code&state=c3RhdGUtZXhhbXBsZQ",
	"browser_token":     "YnJvd3Nlci1leGFtcGxl", "state": "c3RhdGUtZXhhbXBsZQ", "FinishProviderLoginRequest.code": "4/0AbCdEf",
	"FinishIdentityRequest.code": "4/0AbCdEf", "issuer": "https://login.example.com", "client_id": "braid",
	"client_secret": "GOCSPX-for-the-example-only", "link_token": "bGluay1leGFtcGxl", "mail_token": "bWFpbC1leGFtcGxl", "identity_id": exampleIdentity,
	"Member.title":   "Head of Support",
	"data_export_id": exampleExport, "DataExport.id": exampleExport, "failure_reason": "",
	"ExternalIdentity.id": exampleIdentity, "sso_connection_id": exampleConnection, "SsoConnection.id": exampleConnection,
	"SsoConnection.display_name": "Example Corporation", "CreateSsoConnectionRequest.display_name": "Example Corporation",
	"DiscoverSsoResponse.display_name": "Example Corporation", "default_role_id": "member",
}

var exampleNumbers = map[string]int64{
	"number": 12, "expires_in": 600, "revision": 42, "revoked_count": 2, "ProjectSnapshot.revision": 41, "marked_count": 1, "unread_count": 3,
	"page_size": 50, "backup_codes_left": 9, "version": 3, "access_revision": 1207, "roles_revision": 12, "known_roles_revision": 11,
	"created_count": 1, "max_uses": 25, "uses": 3, "size_bytes": 48213,
	"attempts": 1, "failures": 0, "erased_rows": 0,
	"second_factor_grace_days": 14, "session_max_age": 43200, "session_max_pause": 7200,
}

var exampleFlags = map[string]bool{
	"active": true, "allowed": true, "system": true, "current": true, "unread": true, "enabled": true,
	"archived": false, "erased": false, "owned": false, "delegable": false, "denied": false, "service_account": false, "Role.system": false,
	"capture": false, "lost": true, "lead": true, "pending": true, "suspended": false,
}

// exampleObjects are those that the contract leaves open.
var exampleObjects = map[string]map[string]any{
	"payload": {
		"previousAssigneeId": "", "task": map[string]any{"id": exampleTask, "key": "WEB-12", "assigneeId": exampleBen},
	},
	"context": {"organizationId": exampleOrganization}, "properties": {"organizationId": exampleOrganization},
	"EvaluateAccessResponse.context": {"reason": "role:member"}, "EvaluateAccessesResponse.context": {"reason": "role:member"},
	"public_key": {"challenge": "Y2hhbGxlbmdlLWV4YW1wbGU", "rpId": "braid.example.com", "timeout": 300000, "userVerification": "required"},
	"credential": {
		"id": "cGFzc2tleS1leGFtcGxl", "rawId": "cGFzc2tleS1leGFtcGxl", "type": "public-key", "clientExtensionResults": map[string]any{},
		"response": map[string]any{"clientDataJSON": "eyJ0eXBlIjoi4oCmIn0", "authenticatorData": "YXV0aA", "signature": "c2lnbmVk", "userHandle": "dXNlcg"},
	},
}

var exampleTimes = map[string]string{
	"create_time": "2026-09-01T09:30:00Z", "update_time": "2026-09-02T14:05:12.482913Z", "due_time": "2026-09-15T17:00:00Z",
	"start_time": "2026-09-01T09:30:00Z", "finish_time": "2026-09-01T09:31:00Z",
	"expire_time": "2026-09-08T09:30:00Z", "ValidateResponse.expire_time": "2026-09-01T09:40:00Z",
	"end_time":    "2026-11-30T09:30:00Z",
	"verify_time": "2026-09-02T14:00:00Z", "suspend_time": "2026-09-02T14:00:00Z",
	"second_factor_time": "2026-09-02T14:05:12Z",
	"last_use_time":      "2026-09-02T14:00:00Z", "join_time": "2026-09-01T10:12:44Z", "change_time": "2026-09-02T14:05:12.482913Z",
	"request_time": "2026-09-08T09:30:00Z", "Deletion.start_time": "2026-09-15T09:30:00Z", "ask_time": "2026-09-15T09:30:00.218405Z",
}

// exampleOmits are fields that stay without a value because another one of the same message rules them out.
var exampleOmits = map[string]bool{
	"Notification.read_time": true, "MarkReadRequest.all": true, "ProjectChange.comment": true, "ProjectChange.project": true,
	"WatchProjectResponse.heartbeat": true, "StepUpRequest.code": true, "StepUpRequest.credential": true,
	"Factor.clone_warning_time": true, "BeginPasskeyRequest.challenge_token": true, "FinishPasskeyRequest.challenge_token": true,
	"Member.suspend_time":      true,
	"SupportGrant.revoke_time": true, "SupportGrant.revoker_id": true, "SupportGrant.operator_id": true, "Impersonation.end_time": true,
	"Organization.suspension_reason": true, "FoundOrganization.suspension_reason": true, "Deletion.erase_time": true, "Deletion.end_time": true,
	"Deletion.failure_reason": true, "DeletionStep.answer_time": true, "DeletionStep.last_error": true,
}

// valueFor looks a field up in one of the tables.
func valueFor[T any](table map[string]T, field protoreflect.FieldDescriptor) (T, bool) {
	if value, ok := table[exampleName(field)]; ok {
		return value, true
	}
	value, ok := table[string(field.Name())]
	return value, ok
}

func exampleName(field protoreflect.FieldDescriptor) string {
	return string(field.Parent().Name()) + "." + string(field.Name())
}

// exampleOf fills a message. It fails for a text or a time that no table knows: a made-up one would teach nothing.
func exampleOf(described protoreflect.MessageDescriptor) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(described.FullName())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", described.FullName(), err)
	}
	message := kind.New()
	for i := range described.Fields().Len() {
		field := described.Fields().Get(i)
		if exampleOmits[exampleName(field)] || field.Kind() == protoreflect.MessageKind && field.Message().Name() == "FieldMask" {
			continue
		}
		value, err := exampleValue(field)
		if err != nil {
			return nil, err
		}
		if field.IsList() {
			message.Mutable(field).List().Append(value)
			continue
		}
		message.Set(field, value)
	}
	return message.Interface(), nil
}

func exampleValue(field protoreflect.FieldDescriptor) (protoreflect.Value, error) {
	missing := fmt.Errorf("no example for %s: add one to cmd/reference/example.go", exampleName(field))
	switch field.Kind() {
	case protoreflect.StringKind:
		if text, ok := valueFor(exampleTexts, field); ok {
			return protoreflect.ValueOfString(text), nil
		}
	case protoreflect.BytesKind:
		// How every PNG file begins.
		return protoreflect.ValueOfBytes([]byte("\x89PNG\r\n\x1a\n")), nil
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(exampleNumber(field))), nil
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(exampleNumber(field))), nil
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(exampleNumber(field)), nil
	case protoreflect.BoolKind:
		flag, ok := valueFor(exampleFlags, field)
		return protoreflect.ValueOfBool(flag || !ok), nil
	case protoreflect.EnumKind:
		// The value after the unspecified one that says most is the middle one: NORMAL, not LOW.
		values := field.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(min(values.Len()-1, 1+(values.Len()-1)/4)).Number()), nil
	case protoreflect.MessageKind:
		return exampleMessage(field, missing)
	}
	return protoreflect.Value{}, missing
}

func exampleNumber(field protoreflect.FieldDescriptor) int64 {
	if number, ok := valueFor(exampleNumbers, field); ok {
		return number
	}
	return 30
}

func exampleMessage(field protoreflect.FieldDescriptor, missing error) (protoreflect.Value, error) {
	switch field.Message().FullName() {
	case "google.protobuf.Timestamp":
		text, ok := valueFor(exampleTimes, field)
		if !ok {
			return protoreflect.Value{}, missing
		}
		at, err := time.Parse(time.RFC3339, text)
		return protoreflect.ValueOfMessage(timestamppb.New(at).ProtoReflect()), err
	case "google.protobuf.Duration":
		return protoreflect.ValueOfMessage(durationpb.New(24 * time.Hour).ProtoReflect()), nil
	case "google.protobuf.Struct":
		made, err := structpb.NewStruct(exampleObjects[string(field.Name())])
		if err != nil {
			return protoreflect.Value{}, err
		}
		return protoreflect.ValueOfMessage(made.ProtoReflect()), nil
	}
	inner, err := exampleOf(field.Message())
	if err != nil {
		return protoreflect.Value{}, err
	}
	return protoreflect.ValueOfMessage(inner.ProtoReflect()), nil
}

// exampleJSON spells a message as the wire does: answers with the fields that have no value, requests without.
func exampleJSON(message proto.Message, answer bool) (*object, error) {
	encoded, err := protojson.MarshalOptions{EmitDefaultValues: answer}.Marshal(message)
	if err != nil {
		return nil, err
	}
	read, err := readJSON(encoded)
	if err != nil {
		return nil, err
	}
	return read.(*object), nil
}

// camelCase is the JSON name of a path parameter: "organization_id" becomes "organizationId".
func camelCase(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}
