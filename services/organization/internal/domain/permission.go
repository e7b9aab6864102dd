package domain

import (
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
)

// MaxPermissions is how many permissions of its own an organization may have.
const MaxPermissions = 500

// services are the names that permissions of Braid begin with, those of services to come included.
var services = []string{"analytics", "audit", "billing", "channel", "flag", "gateway", "identity", "notification", "organization", "platform", "workflow"}

// Permission is what a role may allow or deny.
type Permission struct {
	Name        string
	Description string
	// System says that it is Braid's own.
	System    bool
	CreatedAt time.Time
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
}

// IsReserved reports whether a permission of that name could only be Braid's own.
func IsReserved(name string) bool {
	service, _, _ := strings.Cut(name, ".")
	return slices.Contains(services, service)
}

// ResourceTypeOf returns the middle part of a permission's name: what it is about.
func ResourceTypeOf(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	resourceType, _, _ := strings.Cut(rest, ".")
	return resourceType
}

// CheckPermissionName refuses the name of a permission that is Braid's, or may be one day.
func CheckPermissionName(field, name string) error {
	if !IsReserved(name) {
		return nil
	}
	service, _, _ := strings.Cut(name, ".")
	return ErrPermissionReserved.WithViolation(errs.Violation{
		Field: field, Rule: "permission.reserved", Message: "begins with " + service + ", which is a service of Braid",
	})
}
