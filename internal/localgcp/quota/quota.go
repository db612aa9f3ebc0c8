// Package quota refuses calls beyond Google's quotas for each project and minute
// of wall time, as Google's front end does: before the service sees them.
package quota

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Class is a kind of calls that are counted together, as Google's texts name it.
type Class string

// The classes there are.
const (
	Read   Class = "Read requests"
	Write  Class = "Write requests"
	Access Class = "Access requests" // of the payloads of secrets
)

// Limits are calls per minute and project, by the name of the API, such as
// secretmanager.googleapis.com. What is not in there is unlimited.
type Limits map[string]map[Class]int

// Google returns Google's limits for a project that asked for no more.
func Google() Limits {
	return Limits{
		"iam.googleapis.com":           {Read: 6000, Write: 600},
		"secretmanager.googleapis.com": {Access: 90_000, Read: 600, Write: 600},
		"apikeys.googleapis.com":       {Read: 240, Write: 120},
		"monitoring.googleapis.com":    {Read: 6000}, // [mem]
		"logging.googleapis.com":       {Read: 60},   // [mem]
	}
}

// Config is what Quotas need.
type Config struct {
	// Limits are what is enforced; nil limits nothing.
	Limits Limits
	// Number tells a project's number from its id. Required.
	Number func(project string) string
	// Now is wall time; nil is time.Now.
	Now func() time.Time
}

// Quotas count calls. They are safe for concurrent use.
type Quotas struct {
	cfg Config

	mu      sync.Mutex
	minutes map[bucket]minute
}

// bucket is what calls are counted in.
type bucket struct {
	service string
	class   Class
	project string // number
}

// minute begins with its first call [mem].
type minute struct {
	began time.Time
	used  int
}

// New returns quotas of which nothing is used.
func New(cfg Config) *Quotas {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Quotas{cfg: cfg, minutes: map[bucket]minute{}}
}

// Unary refuses calls beyond the quota of the project that they are about with
// RESOURCE_EXHAUSTED. A refused call is not counted [mem], and neither is one
// that is about no project.
func (q *Quotas) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := q.take(info.FullMethod, req); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

func (q *Quotas) take(method string, req any) error {
	service, class := classify(method)
	limit, limited := q.cfg.Limits[service][class]
	message, ok := req.(proto.Message)
	if !limited || !ok {
		return nil
	}
	project := projectOf(message.ProtoReflect())
	if project == "" {
		return nil
	}
	b := bucket{service, class, q.number(project)}
	if wait := q.count(b, limit); wait > 0 {
		return b.exceeded(limit, wait)
	}
	return nil
}

// count takes one call from the bucket. If it is empty, it returns how long it
// stays so.
func (q *Quotas) count(b bucket, limit int) (wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, m := q.cfg.Now(), q.minutes[b]
	if now.Sub(m.began) >= time.Minute {
		m = minute{began: now}
	}
	if m.used >= limit {
		return time.Minute - now.Sub(m.began)
	}
	m.used++
	q.minutes[b] = m
	return 0
}

// number is that of a project given by id or number.
func (q *Quotas) number(project string) string {
	for _, r := range project {
		if r < '0' || r > '9' {
			return q.cfg.Number(project)
		}
	}
	return project
}
