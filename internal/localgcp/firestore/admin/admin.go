// Package admin is the Firestore Admin API v1 of the embedded Google Cloud, as far as
// gcloud makes a database and says which fields expire or have no index. Documents, which
// package firestore keeps, do not go by it. Changes are done at once.
package admin

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/wire"
)

// Config sets up a Service. All fields are required.
type Config struct {
	Clock  *clock.Clock
	Random *random.Source
}

// Service keeps the databases and fields. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu        sync.Mutex
	databases []*database
	fields    []*field
}

// New returns a service without databases.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// database is the API's Database.
type database struct {
	Name       string    `json:"name"`
	UID        string    `json:"uid"`
	Created    time.Time `json:"createTime"`
	LocationID string    `json:"locationId"`
	Type       string    `json:"type"`
}

// field is the API's Field, of one that has settings of its own.
type field struct {
	Name  string       `json:"name"`
	TTL   *ttlConfig   `json:"ttlConfig,omitempty"`
	Index *indexConfig `json:"indexConfig,omitempty"`
}

type ttlConfig struct {
	State string `json:"state"`
}

type indexConfig struct {
	Indexes []any `json:"indexes,omitempty"`
	Inherit bool  `json:"usesAncestorConfig,omitempty"`
}

const (
	parent  = `^/v1/projects/([^/]+)/databases`
	service = "/google.firestore.admin.v1.FirestoreAdmin/"
	maxPage = 100
)

// Methods are those of the API.
func (s *Service) Methods() []wire.Method {
	databases, one := regexp.MustCompile(parent+`$`), regexp.MustCompile(parent+`/([^/]+)$`)
	fields, single := regexp.MustCompile(parent+`/([^/]+)/collectionGroups/-/fields$`), regexp.MustCompile(parent+`/([^/]+)/collectionGroups/([^/]+)/fields/([^/]+)$`)
	method := func(verb string, path *regexp.Regexp, name, permission string, run func(*wire.Request) (any, error)) wire.Method {
		return wire.Method{Verb: verb, Path: path, Name: service + name, Permission: "datastore." + permission, Run: func(r *wire.Request) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return run(r)
		}}
	}
	return []wire.Method{
		method(http.MethodGet, databases, "ListDatabases", "databases.list", s.list),
		method(http.MethodPost, databases, "CreateDatabase", "databases.create", s.create),
		method(http.MethodGet, one, "GetDatabase", "databases.getMetadata", s.get),
		method(http.MethodGet, fields, "ListFields", "indexes.list", s.listFields),
		method(http.MethodPatch, single, "UpdateField", "indexes.update", s.updateField),
	}
}

func name(r *wire.Request, id string) string { return "projects/" + r.Args[0] + "/databases/" + id }

func (s *Service) list(r *wire.Request) (any, error) {
	all := []database{}
	for _, d := range s.databases {
		if strings.HasPrefix(d.Name, name(r, "")) {
			all = append(all, *d)
		}
	}
	return map[string]any{"databases": all}, nil
}

var databaseID = regexp.MustCompile(`^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$`)

func (s *Service) create(r *wire.Request) (any, error) {
	id := r.Query.Get("databaseId")
	if !databaseID.MatchString(id) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid database id: %q", id) // [mem]
	}
	d := &database{}
	switch err := r.Decode(d); {
	case err != nil:
		return nil, err
	case d.LocationID == "":
		return nil, status.Error(codes.InvalidArgument, "location_id is required.") // [mem]
	case s.find(name(r, id)) != nil:
		return nil, status.Error(codes.AlreadyExists, "Database already exists. Please use another database_id") // [mem]
	}
	d.Name, d.UID, d.Created = name(r, id), s.cfg.Random.Text(32), s.cfg.Clock.Now().UTC()
	s.databases = append(s.databases, d)
	return s.done(d.Name, "Database", map[string]any{"name": d.Name, "type": d.Type, "locationId": d.LocationID}), nil
}

func (s *Service) find(full string) *database {
	i := slices.IndexFunc(s.databases, func(d *database) bool { return d.Name == full })
	if i < 0 {
		return nil
	}
	return s.databases[i]
}

// in is the database that a request is about.
func (s *Service) in(r *wire.Request) (*database, error) {
	d := s.find(name(r, r.Args[1]))
	if d == nil {
		return nil, status.Errorf(codes.NotFound, "The database %s does not exist for project %s.", r.Args[1], r.Args[0]) // [mem]
	}
	return d, nil
}

func (s *Service) get(r *wire.Request) (any, error) {
	d, err := s.in(r)
	if err != nil {
		return nil, err
	}
	return *d, nil
}

// listFields lists those that expire, or whose indexes are their own, as gcloud asks.
func (s *Service) listFields(r *wire.Request) (any, error) {
	d, err := s.in(r)
	if err != nil {
		return nil, err
	}
	var all []field
	filter := r.Query.Get("filter")
	for _, f := range s.fields {
		wanted := filter == "ttlConfig:*" && f.TTL != nil || filter == "indexConfig.usesAncestorConfig:false" && f.Index != nil
		if strings.HasPrefix(f.Name, d.Name+"/") && wanted {
			all = append(all, *f)
		}
	}
	return wire.List(r, "fields", all, r.Size("pageSize"), maxPage)
}

func (s *Service) updateField(r *wire.Request) (any, error) {
	d, err := s.in(r)
	if err != nil {
		return nil, err
	}
	var want field
	if err := r.Decode(&want); err != nil {
		return nil, err
	}
	full := d.Name + "/collectionGroups/" + r.Args[2] + "/fields/" + r.Args[3]
	i := slices.IndexFunc(s.fields, func(f *field) bool { return f.Name == full })
	if i < 0 {
		i = len(s.fields)
		s.fields = append(s.fields, &field{Name: full})
	}
	switch mask := r.Query.Get("updateMask"); mask {
	case "ttlConfig":
		if s.fields[i].TTL = want.TTL; want.TTL != nil {
			want.TTL.State = "ACTIVE"
		}
	case "indexConfig":
		s.fields[i].Index = want.Index
	default:
		return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q cannot be updated.", mask)
	}
	return s.done(d.Name, "Field", map[string]any{"name": full}), nil
}

// done is an operation that has ended.
func (s *Service) done(database, kind string, answer map[string]any) map[string]any {
	answer["@type"] = "type.googleapis.com/google.firestore.admin.v1." + kind
	return map[string]any{"name": database + "/operations/" + s.cfg.Random.Text(20), "done": true, "response": answer}
}
