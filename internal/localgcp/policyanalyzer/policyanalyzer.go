// Package policyanalyzer is of Policy Analyzer what tells when the keys of service
// accounts were last used: activities:query of its REST API, version 1, for activities
// of type serviceAccountKeyLastAuthentication.
//
// Times are days, which begin at 07:00Z. What was used in the last two days is not
// known yet: Google says that very recent events may be missing, and not for how
// long [mem]. Disabled keys are left out; of deleted ones nothing is kept.
package policyanalyzer

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
	"example.com/keyturn/internal/localgcp/wire"
)

const (
	day     = 24 * time.Hour
	dawn    = 7 * time.Hour // of the days, after midnight UTC
	delay   = 2 * day
	maxPage = 1000
)

// Key is a user-managed key of a service account.
type Key struct {
	Name      string // projects/P/serviceAccounts/E/keys/K
	ID        string
	AccountID string // unique id of the account
	Created   time.Time
	Disabled  bool
}

// Config sets up a Service. All fields are required.
type Config struct {
	Clock  *clock.Clock
	Keys   func(project string) []Key  // of a project given by its id
	Number func(project string) string // of that project
}

// Service knows the uses that it was told of. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu   sync.Mutex
	used map[string][]time.Time // days, oldest first, by key id
}

// New returns a service that knows of no use.
func New(cfg Config) *Service { return &Service{cfg: cfg, used: map[string][]time.Time{}} }

// Count notes a use of a key, told as to Cloud Monitoring.
func (s *Service) Count(_ string, labels map[string]string, _ string, _ map[string]string, _ int64) {
	id, now := labels["key_id"], s.cfg.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	days := s.used[id]
	if today := dayOf(now); len(days) == 0 || !days[len(days)-1].Equal(today) {
		days = append(days, today)
	}
	for len(days) > 1 && days[1].Before(known(now)) { // of those that are known by now, the last is all that is told
		days = days[1:]
	}
	s.used[id] = days
}

// last is the last day of use that is known by now; zero if there is none.
func (s *Service) last(id string, now time.Time) (last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.used[id] {
		if d.Before(known(now)) {
			last = d
		}
	}
	return last
}

func dayOf(t time.Time) time.Time { return t.UTC().Add(-dawn).Truncate(day).Add(dawn) }

// known is when what is known ends.
func known(now time.Time) time.Time { return dayOf(now.Add(-delay)) }

const service = "/google.cloud.policyanalyzer.v1.PolicyAnalyzer/" // of our own making: the API has no gRPC form

// Methods are those of the API.
func (s *Service) Methods() []wire.Method {
	return []wire.Method{{
		Verb: http.MethodGet, Path: regexp.MustCompile(`^/v1/projects/([^/]+)/locations/[^/]+/activityTypes/([^/]+)/activities:query$`),
		Name: service + "QueryActivity", Permission: "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query", Run: s.query,
	}}
}

const keyType = "serviceAccountKeyLastAuthentication"

// activity is one of the answer.
type activity struct {
	FullResourceName  string `json:"fullResourceName"`
	ActivityType      string `json:"activityType"`
	ObservationPeriod period `json:"observationPeriod"`
	Activity          struct {
		Last time.Time `json:"lastAuthenticatedTime,omitzero"` // never, if it is left out
		Key  struct {
			FullResourceName string `json:"fullResourceName"`
			ProjectNumber    string `json:"projectNumber"`
			ServiceAccountID string `json:"serviceAccountId"`
		} `json:"serviceAccountKey"`
	} `json:"activity"`
}

type period struct {
	StartTime time.Time `json:"startTime"`
	EndTime   time.Time `json:"endTime"`
}

// query tells nothing of keys that are disabled, or too new.
func (s *Service) query(r *wire.Request) (any, error) {
	names, err := filtered(r.Query.Get("filter"))
	if err != nil {
		return nil, err
	}
	if r.Args[1] != keyType {
		return nil, status.Error(codes.InvalidArgument, "Request contains an invalid argument.") // [mem]
	}
	var all []activity
	now := s.cfg.Clock.Now()
	for _, k := range s.cfg.Keys(r.Args[0]) {
		seen := period{dayOf(k.Created), known(now)}
		if wanted := names == nil || slices.Contains(names, fullName+k.Name); wanted && !k.Disabled && seen.StartTime.Before(seen.EndTime) {
			all = append(all, s.of(k, s.cfg.Number(r.Args[0]), seen, now))
		}
	}
	return wire.List(r, "activities", all, r.Size("pageSize"), maxPage)
}

const fullName = "//iam.googleapis.com/"

func (s *Service) of(k Key, number string, seen period, now time.Time) activity {
	a := activity{FullResourceName: fullName + k.Name, ActivityType: keyType, ObservationPeriod: seen}
	a.Activity.Last = s.last(k.ID, now)
	a.Activity.Key.FullResourceName, a.Activity.Key.ProjectNumber, a.Activity.Key.ServiceAccountID = a.FullResourceName, number, k.AccountID
	return a
}

var comparison = regexp.MustCompile(`^activities\.(?:fullResourceName|full_resource_name) *= *"([^"]+)"$`)

// maxNames is how many a filter may ask for.
const maxNames = 10

// filtered are the names that a filter asks for; nil is all.
func filtered(filter string) (names []string, err error) {
	if filter == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(filter, " OR ") {
		m := comparison.FindStringSubmatch(strings.TrimSpace(one))
		if m == nil || len(names) == maxNames {
			return nil, status.Error(codes.InvalidArgument, "Request contains an invalid argument.") // [mem]
		}
		names = append(names, m[1])
	}
	return names, nil
}
