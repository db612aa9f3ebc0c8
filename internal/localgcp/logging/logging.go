// Package logging is the embedded Cloud Logging: entries are written, listed by
// the Logging query language, and exported by sinks to Pub/Sub.
//
// It serves google.logging.v2: LoggingServiceV2 without TailLogEntries and
// CopyLogEntries; of ConfigServiceV2 the sinks and the list of buckets; all of
// MetricsServiceV2, whose metrics are kept but not counted.
//
// It is stricter and more lenient than Google in these points: entries are
// searchable at once, and are kept until newer ones push them out, whatever
// their timestamp; a payload may be of any type, or of none.
package logging

import (
	"net/http"
	"sync"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/logging/entry"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/shared/lazyregexp"
)

// Publisher takes what sinks export. topic is projects/P/topics/T.
type Publisher interface {
	PublishMessage(topic string, data []byte, attributes map[string]string) error
}

// Config is what a Service needs.
type Config struct {
	Clock      *clock.Clock   // dates entries; required
	Publisher  Publisher      // of the sinks; nil makes every export an error entry
	MaxEntries int            // kept at a time, the newest; 0 means 200,000
	Random     *random.Source // of insert ids; nil is crypto/rand
}

// Service is an embedded Cloud Logging. It is safe for concurrent use.
type Service struct {
	clock     *clock.Clock
	publisher Publisher
	random    *random.Source

	mu      sync.RWMutex
	entries ring
	sinks   map[string]*sink                // by full name
	metrics map[string]*loggingpb.LogMetric // by full name
}

// New returns a Service without entries, sinks and metrics.
func New(c Config) *Service {
	if c.MaxEntries <= 0 {
		c.MaxEntries = 200_000
	}
	return &Service{
		clock:     c.Clock,
		publisher: c.Publisher,
		random:    c.Random,
		entries:   ring{max: c.MaxEntries},
		sinks:     map[string]*sink{},
		metrics:   map[string]*loggingpb.LogMetric{},
	}
}

// Register adds the three services of google.logging.v2.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	loggingpb.RegisterLoggingServiceV2Server(r, &entriesServer{Service: s})
	loggingpb.RegisterConfigServiceV2Server(r, &configServer{Service: s})
	loggingpb.RegisterMetricsServiceV2Server(r, &metricsServer{Service: s})
}

// Middleware stands before the transcoder of REST. It lets entries:write and
// entries:list carry payloads of types that are not linked into the program,
// and the names of logs and metrics hold escaped slashes.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return entry.Transcode(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawPath != "" && escapedName.MatchString(r.URL.RawPath) {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = r.URL.RawPath, "" // or the transcoder takes the id for two segments
		}
		next.ServeHTTP(w, r)
	}))
}

var escapedName = lazyregexp.New(`^/v2/[a-zA-Z]+/[^/]+/(logs|metrics)/[^/]+$`)

// ring keeps the newest entries, by arrival.
type ring struct {
	max    int
	kept   []entry.Entry
	oldest int // index into kept, once it is full
}

func (r *ring) add(e entry.Entry) {
	if len(r.kept) < r.max {
		r.kept = append(r.kept, e)
		return
	}
	r.kept[r.oldest] = e
	r.oldest = (r.oldest + 1) % r.max
}

// remove drops the entries that f picks.
func (r *ring) remove(f func(entry.Entry) bool) {
	var kept []entry.Entry
	for i := range r.kept {
		if e := r.kept[(r.oldest+i)%len(r.kept)]; !f(e) {
			kept = append(kept, e)
		}
	}
	r.kept, r.oldest = kept, 0
}
