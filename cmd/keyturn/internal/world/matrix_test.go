package world

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/deployment"
)

// TestPermissionMatrix has everything that keyturn does done once, by the accounts
// and with the grants of a deployment, and compares what each account needed with
// what it was given: nothing is missing, and nothing is unused.
func TestPermissionMatrix(t *testing.T) {
	if raced.Detector {
		t.Skip("the race detector finds nothing here that it does not find in the functions' own tests")
	}
	s := newScene(t)
	s.play()
	uses := s.Cloud.Policies.Uses()
	for _, a := range append(s.accounts(), "Google's own accounts") {
		m := s.judge(a, uses)
		t.Logf("%-24s %3d permissions used, %d missing, %d unused, %d beyond the embedded cloud", a, m.used, len(m.missing), len(m.unused), m.beyond)
		for _, problem := range slices.Concat(m.missing, m.unused) {
			t.Error(problem)
		}
	}
}

// matrix is what one account needed, and what it had.
type matrix struct {
	used, beyond    int
	missing, unused []string
}

func (s *scene) accounts() (ids []string) {
	for _, a := range deployment.Accounts {
		ids = append(ids, a.ID)
	}
	return ids
}

// granted are the grants of one account, by its short id, or of all that are none of
// keyturn's.
func (s *scene) granted(id string) (all []deployment.Grant) {
	writer, err := s.sinkWriter(s.Context())
	s.must(err)
	for _, g := range s.site().Granted(writer, s.triggers()) {
		owner := strings.TrimSuffix(strings.TrimPrefix(g.Member, "serviceAccount:"), "@"+s.Project+".iam.gserviceaccount.com")
		if owner == id || strings.Contains(owner, "@") && !slices.Contains(s.accounts(), id) {
			all = append(all, g)
		}
	}
	return all
}

func (s *scene) judge(id string, uses []policy.Use) (m matrix) {
	grants := s.granted(id)
	members := map[string]bool{}
	for _, g := range grants {
		members[g.Member] = true
	}
	for _, u := range uses {
		if members["serviceAccount:"+u.Caller] && !u.Granted() {
			m.missing = append(m.missing, fmt.Sprintf("%s lacks %s on %s", id, u.Permission, u.Resource))
		}
	}
	for _, g := range grants {
		used := s.usedOf(g, uses)
		m.used += len(used)
		for _, p := range g.Permissions {
			switch has := slices.Contains(used, p.Name); {
			case p.Beyond != "":
				m.beyond++
			case !has:
				m.unused = append(m.unused, fmt.Sprintf("%s does not use %s on %s, which %s gives it", id, p.Name, g.On, g.Role))
			}
		}
		m.unused = append(m.unused, s.unexplained(g, used)...)
	}
	return m
}

// usedOf are the permissions that were used because of a grant.
func (s *scene) usedOf(g deployment.Grant, uses []policy.Use) (names []string) {
	on := g.On
	if project, email, ok := strings.Cut(on, "/serviceAccounts/"); ok { // whose policy goes by its id
		on = project + "/serviceAccounts/" + s.Cloud.IAM.UniqueID(email)
	}
	for _, u := range uses {
		if "serviceAccount:"+u.Caller == g.Member && u.Role == g.Role && u.On == on && !slices.Contains(names, u.Permission) {
			names = append(names, u.Permission)
		}
	}
	return names
}

// unexplained is what the table does not say of a grant: permissions that are used by
// chance of what a predefined role has besides, and a predefined role that has more
// than another one with all that is needed.
func (s *scene) unexplained(g deployment.Grant, used []string) (problems []string) {
	var named []string
	for _, p := range g.Permissions {
		named = append(named, p.Name)
	}
	for _, p := range used {
		if !slices.Contains(named, p) {
			problems = append(problems, fmt.Sprintf("%s uses %s by %s on %s, and the table says nothing of it", g.Member, p, g.Role, g.On))
		}
	}
	if !strings.HasPrefix(g.Role, "roles/") {
		return problems
	}
	all := s.Cloud.Policies.Roles.List("", false)
	i := slices.IndexFunc(all, func(r *adminpb.Role) bool { return r.GetName() == g.Role })
	if i < 0 {
		return append(problems, g.Role+" is not known")
	}
	for _, r := range all {
		if has := r.GetIncludedPermissions(); len(has) < len(all[i].GetIncludedPermissions()) && holdsAll(has, named) {
			problems = append(problems, fmt.Sprintf("%s has more than %s, which would do on %s", path.Base(g.Role), path.Base(r.GetName()), g.On))
		}
	}
	return problems
}

func holdsAll(has, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(p string) bool { return !slices.Contains(has, p) })
}

// TestTheMatrixNotices judges accounts that used nothing, and needed more.
func TestTheMatrixNotices(t *testing.T) {
	s := newScene(t)
	email := s.site().Email(deployment.Trigger)
	m := s.judge(deployment.Trigger, []policy.Use{{Caller: email, Permission: "run.services.get", Resource: "projects/acme"}})
	if len(m.missing) != 1 || len(m.unused) != 4 || m.used != 0 {
		t.Errorf("of an account that could not do what it wanted, and did nothing else: %+v", m)
	}
	grant := deployment.Grant{Member: "serviceAccount:" + email, Role: "roles/pubsub.editor", On: "projects/acme", Permissions: []deployment.Permission{{Name: "pubsub.topics.publish"}}}
	if got := s.unexplained(grant, []string{"pubsub.topics.publish", "pubsub.topics.list"}); len(got) != 2 || !strings.Contains(got[0], "says nothing of it") || !strings.Contains(got[1], "pubsub.editor has more than pubsub.publisher") {
		t.Errorf("of a role that is too broad: %q", got)
	}
}
