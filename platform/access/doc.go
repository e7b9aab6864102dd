// Package access decides who may do what. It is the rule alone: no database, no network, no clock (but Go's time zones). What is stored goes
// in (roles, assignments), a question with everything that the answer may depend on goes in (permission, resource, time,
// address, login), and a decision, its explanation or a filter for lists comes out.
//
// # Roles
//
// A role allows what it lists, and denies what it lists to deny; both it also inherits from its parents, of which it may
// have several, in at most MaxDepth steps and without a cycle. What passes from a parent depends on the mode:
//
//   - Full: all that the parent allows and denies, whether it lists or inherits it.
//   - Partial: the same of the named permissions only.
//   - Conditional: all, while a condition holds.
//
// # Assignments
//
// An assignment gives a role to a subject. It applies to a question when
//
//   - the question's time is in [Start, Expire), where zero is open;
//   - its scope covers the resource: Organization and Global cover everything, and are the only ones that cover a
//     question which names no resource; Project covers what is in the project, Resource the one resource;
//   - it isn't Owned, or the resource's owner is the subject;
//   - its condition holds;
//   - and, when it is delegated, all of this is true of its Source as well, whose subject is the one who granted it on.
//
// The answer is yes when an assignment that applies allows the permission and none that applies denies it: deny wins over
// allow, wherever either comes from.
//
// # Conditions
//
// Conditions are CEL without macros, so that nothing in them loops, over
//
//	now                                            timestamp
//	request.address                                string, see inNetwork(request.address, "10.0.0.0/8")
//	request.factor                                 string: password, otp, passkey, sso
//	request.secondFactor                           bool
//	request.loginTime                              timestamp
//	subject.id, subject.kind                       string
//	resource.type, .id, .project, .owner           string
//
// Lists must be exact by SQL, so resource attributes may only be compared (==, !=, in) with constants and subject.id, and
// such comparisons only be joined by &&, || and !. A value that the question doesn't have is missing, and so is an empty
// one. What can't be decided without it is unknown, in the three-valued logic that CEL and SQL share: unknown && false
// is false, unknown || true is true. A condition that is unknown in the end, or fails, or costs too much, fails
// closed: what it stands before is not allowed, but is denied.
//
// # Cost
//
// Permissions are bits. What a role allows or denies without a condition is known once its graph is made, so most
// decisions are a few tests of bits per assignment that covers the resource; others aren't looked at. Where a condition stands
// in an inheritance, a decision looks at each role, each parent and each condition of a graph at most once per
// effect, and at an assignment's own condition twice, whatever the number of ways through the graph. Graphs and Holdings are
// immutable and may be used by any number of goroutines.
package access
