package policy

import (
	"bytes"
	"encoding/binary"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var (
	roleID         = regexp.MustCompile(`^[a-zA-Z0-9_.]{3,64}$`)
	predefinedRole = regexp.MustCompile(`^roles/[a-zA-Z0-9_.]+$`)
	permissionName = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*(\.[a-zA-Z0-9]+){2,}$`)
)

// ValidPermission reports whether p has the form service.resource.verb.
func ValidPermission(p string) bool { return permissionName.MatchString(p) }

func invalidPermission(p string) error {
	return status.Errorf(codes.InvalidArgument, "Permission %s is not valid.", p)
}

// Roles holds the predefined roles and the projects' custom roles. It is safe
// for concurrent use.
type Roles struct {
	mu      sync.Mutex
	custom  []*adminpb.Role // oldest first
	version uint64          // of the newest etag
}

func newRoles() *Roles { return &Roles{} }

// Grants reports whether the role holds the permission. A role that does not
// exist, or was deleted, grants nothing.
func (r *Roles) Grants(role, permission string) bool {
	if patterns, ok := predefined[role]; ok {
		return grants(patterns, permission)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.find(role)
	return err == nil && !c.GetDeleted() && slices.Contains(c.GetIncludedPermissions(), permission)
}

// grants matches a permission with patterns; one that begins with ! takes away
// again what those before it gave.
func grants(patterns []string, permission string) bool {
	granted := false
	for _, p := range patterns {
		pattern, exclude := strings.CutPrefix(p, "!")
		if ok, _ := path.Match(pattern, permission); ok {
			granted = !exclude
		}
	}
	return granted
}

// check refuses roles that cannot stand in a policy. Predefined roles that this
// package does not know are let in and grant nothing.
func (r *Roles) check(role string) error {
	if predefinedRole.MatchString(role) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.find(role); err != nil {
		return status.Errorf(codes.InvalidArgument, "Role %s is not supported for this resource.", role)
	}
	return nil
}

func (r *Roles) find(name string) (*adminpb.Role, error) {
	for _, c := range r.custom {
		if c.GetName() == name {
			return c, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "The role named %s was not found.", name)
}

// Get returns a predefined or custom role with its permissions, those of a
// predefined one as far as they are among Permissions.
func (r *Roles) Get(name string) (*adminpb.Role, error) {
	if _, ok := predefined[name]; ok {
		return predefinedRoleOf(name), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.find(name)
	if err != nil {
		return nil, err
	}
	return proto.Clone(c).(*adminpb.Role), nil
}

func predefinedRoleOf(name string) *adminpb.Role {
	return &adminpb.Role{Name: name, Title: name, Stage: adminpb.Role_GA, Etag: []byte{0}, IncludedPermissions: expand(predefined[name])}
}

// List returns the custom roles of projects/{PROJECT}, oldest first, or, for an
// empty parent, the predefined roles by name.
func (r *Roles) List(parent string, showDeleted bool) []*adminpb.Role {
	var list []*adminpb.Role
	if parent == "" {
		for name := range predefined {
			list = append(list, predefinedRoleOf(name))
		}
		slices.SortFunc(list, func(a, b *adminpb.Role) int { return strings.Compare(a.GetName(), b.GetName()) })
		return list
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.custom {
		if strings.HasPrefix(c.GetName(), parent+"/roles/") && (showDeleted || !c.GetDeleted()) {
			list = append(list, proto.Clone(c).(*adminpb.Role))
		}
	}
	return list
}

// Create adds the custom role {parent}/roles/{id}.
func (r *Roles) Create(parent, id string, role *adminpb.Role) (*adminpb.Role, error) {
	if !roleID.MatchString(id) {
		return nil, status.Errorf(codes.InvalidArgument,
			"The role_id %q is not valid: it must have 3 to 64 letters, digits, underscores and periods.", id)
	}
	if role.GetName() != "" {
		return nil, status.Error(codes.InvalidArgument, "The role name must not be set when a role is created.")
	}
	if err := checkPermissions(role); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	name := parent + "/roles/" + id
	if _, err := r.find(name); err == nil {
		return nil, status.Errorf(codes.AlreadyExists, "A role named %s in %s already exists.", id, parent)
	}
	added := &adminpb.Role{Name: name, Stage: role.GetStage()}
	setRole(added, role, nil)
	r.stamp(added)
	r.custom = append(r.custom, added)
	return proto.Clone(added).(*adminpb.Role), nil
}

func checkPermissions(role *adminpb.Role) error {
	for _, p := range role.GetIncludedPermissions() {
		if !ValidPermission(p) {
			return invalidPermission(p)
		}
	}
	return nil
}

// Update changes the fields of a custom role that paths name in snake_case, or
// all of them if it names none.
func (r *Roles) Update(name string, role *adminpb.Role, paths []string) (*adminpb.Role, error) {
	if err := checkPermissions(role); err != nil {
		return nil, err
	}
	return r.edit(name, role.GetEtag(), func(c *adminpb.Role) error { return setRole(c, role, paths) })
}

func setRole(to, from *adminpb.Role, paths []string) error {
	if len(paths) == 0 {
		paths = []string{"title", "description", "included_permissions", "stage"}
	}
	for _, p := range paths {
		switch p {
		case "title":
			to.Title = from.GetTitle()
		case "description":
			to.Description = from.GetDescription()
		case "included_permissions":
			to.IncludedPermissions = slices.Clone(from.GetIncludedPermissions())
		case "stage":
			to.Stage = from.GetStage()
		case "name", "etag", "deleted": // sent back by clients; not to be changed
		default:
			return status.Errorf(codes.InvalidArgument, "Invalid update mask: a role has no field %q to update.", p)
		}
	}
	return nil
}

// SetDeleted deletes a custom role, which then grants nothing, or brings it back.
func (r *Roles) SetDeleted(name string, deleted bool, etag []byte) (*adminpb.Role, error) {
	return r.edit(name, etag, func(c *adminpb.Role) error {
		if c.GetDeleted() == deleted {
			return status.Errorf(codes.FailedPrecondition, "The role named %s is already in the requested state.", name)
		}
		c.Deleted = deleted
		return nil
	})
}

// edit changes a custom role if etag is empty or the role's.
func (r *Roles) edit(name string, etag []byte, change func(*adminpb.Role) error) (*adminpb.Role, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.find(name)
	if err != nil {
		return nil, err
	}
	if len(etag) > 0 && !bytes.Equal(etag, c.GetEtag()) {
		return nil, status.Errorf(codes.Aborted, "The role named %s was changed by someone else: read it again and retry.", name)
	}
	if err := change(c); err != nil {
		return nil, err
	}
	r.stamp(c)
	return proto.Clone(c).(*adminpb.Role), nil
}

func (r *Roles) stamp(c *adminpb.Role) {
	r.version++
	c.Etag = binary.BigEndian.AppendUint64(nil, 0x07<<56|r.version)
}
