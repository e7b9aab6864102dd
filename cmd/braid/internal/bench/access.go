package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
)

// The world that access is measured in: as many roles as a large organization has, as deep as they may be.
const (
	worldRoles  = 200
	worldLayers = 9
	worldDepth  = 10
	// worldPermission is what is asked for; it waits at the end of every way.
	worldPermission = "shop.order.read"
	worldResource   = "order"
	// ownCondition stands before the assignment.
	ownCondition = `inNetwork(request.address, "127.0.0.0/8") && now - request.loginTime < duration("24h")`
)

// stepConditions stand in turn before the inheritances of the conditional chain.
var stepConditions = []string{
	`request.factor in ["password", "passkey"]`, `now.getHours() >= 0 && now.getHours() < 24`, `inNetwork(request.address, "127.0.0.0/8")`,
}

// world is an organization of 200 roles: one at the top that alone holds the permission, nine layers of twenty with three
// parents each above, a chain of ten whose every step has a condition, and nine roles that nobody has.
type world struct {
	organization *organization
	projectID    id.ID
	roles        []access.Role
	// deep is ten steps below the permission by the layers, conditional by the chain, spare one that can be changed without
	// changing an answer.
	deep, conditional, spare string
}

func newWorld(owner, member *person) *world {
	made := &world{organization: &organization{id: id.New(), owner: owner, member: member}, projectID: id.New()}
	add := func(parents ...access.Parent) string {
		role := access.Role{ID: id.New().String(), Parents: parents}
		for action := range 5 {
			role.Allow = append(role.Allow, fmt.Sprintf("shop.thing%d.action%d", len(made.roles), action))
		}
		made.roles = append(made.roles, role)
		return role.ID
	}
	top := add()
	made.roles[0].Allow = append(made.roles[0].Allow, worldPermission)
	made.roles[0].Deny = []string{"shop.order.delete"}
	below := slices.Repeat([]string{top}, 20)
	for range worldLayers {
		layer := make([]string, len(below))
		for place := range layer {
			var parents []access.Parent
			for step := range 3 {
				parent := access.Parent{RoleID: below[(place+step)%len(below)], Mode: access.Full}
				if !slices.ContainsFunc(parents, func(other access.Parent) bool { return other.RoleID == parent.RoleID }) {
					parents = append(parents, parent)
				}
			}
			layer[place] = add(parents...)
		}
		below = layer
	}
	made.deep = add(access.Parent{RoleID: below[0], Mode: access.Full})
	made.conditional = top
	for step := range worldDepth {
		made.conditional = add(access.Parent{
			RoleID: made.conditional, Mode: access.Conditional, Condition: stepConditions[step%len(stepConditions)],
		})
	}
	for len(made.roles) < worldRoles {
		made.spare = add()
	}
	return made
}

// assignment gives a role in the world's project.
func (w *world) assignment(roleID, condition string) access.Assignment {
	return access.Assignment{
		ID: id.New().String(), RoleID: roleID, Condition: condition,
		Scope: access.Scope{Kind: access.Project, ProjectID: w.projectID.String()},
	}
}

// seedWorld writes it as the API would have: nobody makes 200 roles by hand.
func (r *run) seedWorld(ctx context.Context, made *world) error {
	type parent struct {
		RoleID    string `json:"role_id"`
		Mode      string `json:"mode"`
		Condition string `json:"condition,omitempty"`
	}
	batch := &pgx.Batch{}
	queueOrganization(batch, made.organization, "member")
	for _, role := range made.roles {
		parents := []parent{}
		for _, from := range role.Parents {
			mode := "full"
			if from.Mode == access.Conditional {
				mode = "conditional"
			}
			parents = append(parents, parent{from.RoleID, mode, from.Condition})
		}
		encoded, err := json.Marshal(parents)
		if err != nil {
			return err
		}
		queueRole(batch, made.organization, role.ID, role.Allow, role.Deny, string(encoded))
		for _, permission := range role.Allow {
			batch.Queue(`insert into permission (organization_id, name, description, created_at) values ($1, $2, '', now())`,
				made.organization.id.String(), permission)
		}
	}
	queueAssignment(batch, made.organization, made.conditional, made.projectID, ownCondition)
	return r.database.organization.SendBatch(ctx, batch).Close()
}

// measureAccess asks whether somebody may, over HTTP and in this process, and then right after something has changed.
func (r *run) measureAccess(ctx context.Context) error {
	made := newWorld(r.people[0], r.people[1])
	if err := r.seedWorld(ctx, made); err != nil {
		return fmt.Errorf("seed roles: %w", err)
	}
	question := made.question()
	if _, err := r.checkAllowed(ctx, made, question); err != nil {
		return err
	}
	one := &compared{
		name: "access", work: fmt.Sprintf("access:check, %d roles, depth %d, %d conditions, against a null handler", worldRoles, worldDepth, worldDepth+1),
		product: r.product(func(dst []byte, _ *rand.Rand) []byte {
			return appendRequest(dst, "POST", made.checkPath(), made.organization.member.token, question)
		}),
		floor: r.bare(func(dst []byte, _ *rand.Rand) []byte { return appendRequest(dst, "POST", "/null", "", question) }),
	}
	if err := r.warmUp(ctx, one); err != nil {
		return err
	}
	for round := range r.rounds {
		if err := r.compare(ctx, one, round); err != nil {
			return err
		}
	}
	r.report.addCompared(one, "≥ 0.35, ≥ 15,000/s, p99 ≤ 10 ms", func(ratio float64, p99 time.Duration) bool {
		return ratio >= 0.35 && medianRate(one.results) >= 15_000 && p99 <= 10*time.Millisecond
	})
	if err := r.measureDecisions(made); err != nil {
		return err
	}
	return r.measureCold(ctx, made, question)
}

func (w *world) checkPath() string {
	return fmt.Sprintf("/api/v1/organizations/%s/access:check", w.organization.id)
}

func (w *world) question() string {
	return fmt.Sprintf(`{"permission":%q,"resource":{"type":%q,"id":%q,"projectId":%q}}`, worldPermission, worldResource, id.New(), w.projectID)
}

// checkAllowed asks once and returns the revision of the answer, which must be yes.
func (r *run) checkAllowed(ctx context.Context, made *world, question string) (revision int64, err error) {
	body, err := once(ctx, r.instance.public, appendRequest(nil, "POST", made.checkPath(), made.organization.member.token, question))
	if err != nil {
		return 0, err
	}
	return allowedAt(body)
}

// allowedAt reads an answer, which must be yes.
func allowedAt(body []byte) (revision int64, err error) {
	var answer struct {
		Allowed        bool
		AccessRevision string
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("the check answered %s: %w", body, err)
	}
	if !answer.Allowed {
		return 0, fmt.Errorf("the check answered %s", body)
	}
	return strconv.ParseInt(answer.AccessRevision, 10, 64)
}

// measureDecisions asks the evaluator itself.
func (r *run) measureDecisions(made *world) error {
	graph, err := access.NewGraph(nil, made.roles)
	if err != nil {
		return err
	}
	now := time.Now()
	question := &access.Question{
		Permission: worldPermission, Now: now, Address: netip.MustParseAddr("127.0.0.1"), Login: access.Login{Factor: access.Password, Time: now},
		Resource: &access.Resource{Type: worldResource, ID: id.New().String(), ProjectID: made.projectID.String()},
	}
	subject := access.Subject{ID: made.organization.member.id.String(), Kind: access.User}
	for _, way := range []struct {
		name       string
		assignment access.Assignment
		least      time.Duration
	}{
		{"without a condition", made.assignment(made.deep, ""), 2 * time.Microsecond},
		{"with a condition", made.assignment(made.deep, ownCondition), 10 * time.Microsecond},
		{fmt.Sprintf("with %d conditions, as over HTTP", worldDepth+1), made.assignment(made.conditional, ownCondition), 10 * time.Microsecond},
	} {
		holdings, err := graph.Hold(subject, []access.Assignment{way.assignment})
		if err != nil {
			return err
		}
		if !holdings.Decide(question).Allowed {
			return fmt.Errorf("the evaluator refuses %s", way.name)
		}
		var rounds []time.Duration
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range r.rounds {
			started := time.Now()
			for range r.decisions {
				holdings.Decide(question)
			}
			rounds = append(rounds, time.Since(started)/time.Duration(r.decisions))
		}
		runtime.ReadMemStats(&after)
		took := median(rounds)
		allocations := (after.Mallocs - before.Mallocs) / uint64(r.rounds*r.decisions)
		r.report.add(row{
			work: fmt.Sprintf("· the same in process, %s", way.name), figure: fmt.Sprintf("%d ns, %d allocations", took.Nanoseconds(), allocations),
			target: fmt.Sprintf("≤ %d µs", way.least.Microseconds()), met: met(took <= way.least),
		})
	}
	return nil
}

// measureCold changes a role and asks right afterwards: nothing that was remembered counts any more, so the roles are read
// and compiled again.
func (r *run) measureCold(ctx context.Context, made *world, question string) error {
	opened, err := dial(ctx, r.instance.public)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	var took []time.Duration
	for number := range r.roleChanges {
		answer, err := r.call(ctx, "PATCH", fmt.Sprintf("/api/v1/organizations/%s/roles/%s", made.organization.id, made.spare), made.organization.owner.token,
			map[string]any{"description": fmt.Sprintf("Change %d", number)})
		if err != nil {
			return fmt.Errorf("change a role: %w", err)
		}
		var changed struct{ AccessRevision string }
		if err := json.Unmarshal(answer, &changed); err != nil {
			return fmt.Errorf("change a role: %w", err)
		}
		_ = opened.SetDeadline(time.Now().Add(requestTimeout))
		opened.request = appendRequest(opened.request[:0], "POST", made.checkPath(), made.organization.member.token, question)
		started := time.Now()
		_, body, err := opened.exchange(true)
		took = append(took, time.Since(started))
		if err != nil {
			return err
		}
		revision, err := allowedAt(body)
		if err != nil {
			return err
		}
		if strconv.FormatInt(revision, 10) != changed.AccessRevision {
			return fmt.Errorf("the check after change %s answered from revision %d", changed.AccessRevision, revision)
		}
	}
	slices.Sort(took)
	p50 := quantile(took, .5)
	r.report.add(row{
		work: "· first check after a change of a role, cold", figure: shown(p50), p50: milliseconds(p50), p99: milliseconds(quantile(took, .99)),
		target: "≤ 5 ms", met: met(p50 <= 5*time.Millisecond),
	})
	return nil
}
