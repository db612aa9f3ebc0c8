// Package gemini is the guarded API of the embedded Google Cloud: the methods,
// credentials, errors, audit entries and metrics of the Gemini API, with a
// model behind it that always says the same. Consumers call it with the
// credentials that are rotated, and attackers with those that leaked.
//
// Texts and shapes of the errors are Google's where they are published; those
// that are not are marked [mem]. Everything a client would upload or create is
// refused as UNIMPLEMENTED once the caller is let through.
package gemini

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/gemini/answer"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/wire"
)

// serviceName is the API's name at Google.
const serviceName = "generativelanguage.googleapis.com"

// maxBody is Google's limit for a request.
const maxBody = 20 << 20

// Auth knows service accounts.
type Auth interface {
	// Authenticate tells who presents a bearer token. Its error is UNAUTHENTICATED
	// with an ErrorInfo whose reason says why.
	Authenticate(bearer string) (principal.Principal, error)
	// Allowed reports whether the account holds the permission on the project.
	Allowed(email, permission string) bool
	// UniqueID is the account's numeric id; empty for an account there is none of.
	UniqueID(email string) string
}

// Keys knows API keys.
type Keys interface {
	// Lookup returns the key that authenticates now with that string.
	Lookup(keyString string) (*apikeyspb.Key, bool)
	// Use records that the key of that string was used.
	Use(keyString string)
}

// Audit takes log entries.
type Audit interface {
	WriteEntry(*loggingpb.LogEntry)
}

// Metrics counts in Cloud Monitoring.
type Metrics interface {
	Count(metricType string, metricLabels map[string]string, resourceType string, resourceLabels map[string]string, n int64)
}

// Config says how a Service behaves.
type Config struct {
	// Clock dates audit entries. Nil is a clock that flows with the machine's.
	Clock *clock.Clock

	// ProjectID is the project that calls with a bearer token belong to. Required.
	ProjectID string

	// Auth and Keys know the callers. Required.
	Auth Auth
	Keys Keys

	// Audit takes the audit entries. Nil drops them.
	Audit Audit

	// Metrics counts the requests. Nil does not.
	Metrics Metrics

	// Faults makes calls of known callers fail on purpose; to it they are called
	// "POST /v1beta/models/gemini-2.5-flash:generateContent". Nil never does.
	Faults *fault.Injector

	// DataAccess says whether Data Access audit logs are on, which at Google they
	// are not unless somebody turns them on.
	DataAccess bool

	// RequestsPerMinute is the quota of each credential, in wall time. Zero is unlimited.
	RequestsPerMinute int
}

// Service is the API as an http.Handler. It is safe for concurrent use.
type Service struct {
	cfg   Config
	quota *quota
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.New()
	}
	if cfg.Faults == nil {
		cfg.Faults = &fault.Injector{}
	}
	return &Service{cfg: cfg, quota: &quota{perMinute: cfg.RequestsPerMinute, now: time.Now}}
}

// call is one request on its way through the service.
type call struct {
	catalog.Call
	http   *http.Request
	caller caller
}

func (c *call) fullName() string { return c.FullName(c.Version) }

// ServeHTTP answers the methods of catalog.Methods below /v1beta and /v1.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, ok := catalog.Find(r.Method, r.URL.Path)
	if !ok {
		writeError(w, status.Error(codes.NotFound, "Method not found."))
		return
	}
	c := &call{Call: method, http: r}
	reply, err := s.serve(c)
	recorded := &recorder{ResponseWriter: w}
	if err != nil {
		writeError(recorded, err)
	} else {
		writeReply(recorded, r, reply)
	}
	s.count(c, recorded.code, status.Code(err))
}

// serve identifies the caller, then does the work under whatever fault is injected.
func (s *Service) serve(c *call) (reply answer.Reply, err error) {
	if err := s.identify(c); err != nil {
		return reply, err
	}
	err = s.cfg.Faults.Do(c.http.Context(), c.http.Method+" "+c.http.URL.Path, nil, func() error {
		reply, err = s.work(c)
		return err
	})
	if _, known := status.FromError(err); !known {
		err = status.FromContextError(err).Err() // of a fault: a context's end, or UNKNOWN
	}
	return reply, err
}

// work checks quota and permission, answers, and writes the audit entry.
func (s *Service) work(c *call) (reply answer.Reply, err error) {
	if err := s.quota.take(c); err != nil {
		return reply, err // at Google's front end, before anything is audited
	}
	err = s.authorize(c)
	granted := err == nil
	if granted {
		reply, err = respond(c)
	}
	s.record(c, granted, err)
	return reply, err
}

// respond gives the catalog's answer.
func respond(c *call) (answer.Reply, error) {
	switch c.Answer {
	case catalog.ListModels:
		return listModels(c.http.URL.Query())
	case catalog.GetModel:
		m, ok := catalog.FindModel(c.Name)
		if !ok {
			return answer.Reply{}, status.Errorf(codes.NotFound, "Model is not found: %s for api version %s", c.Name, c.Version)
		}
		return answer.Reply{Message: m}, nil
	case catalog.Empty:
		return answer.Reply{Message: struct{}{}}, nil
	case catalog.Missing:
		return answer.Reply{}, status.Error(codes.NotFound, "Requested entity was not found.")
	case catalog.Unkept:
		return answer.Reply{}, status.Error(codes.Unimplemented, "The embedded Gemini API keeps nothing: "+c.RPC+" is let through, but not carried out.")
	}
	return ask(c)
}

var asks = map[catalog.Answer]func(model string, body []byte) (answer.Reply, error){
	catalog.Generate: answer.Generate, catalog.Stream: answer.Stream, catalog.Count: answer.Count,
	catalog.Embed: answer.Embed, catalog.BatchEmbed: answer.BatchEmbed,
}

// ask puts a request to a model.
func ask(c *call) (answer.Reply, error) {
	m, ok := catalog.FindModel(c.Name)
	if !ok || !m.Supports(c.Verb()) {
		return answer.Reply{}, status.Errorf(codes.NotFound, "%s is not found for API version %s, or is not supported for %s. "+
			"Call ListModels to see the list of available models and their supported methods.", c.Name, c.Version, c.Verb())
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.http.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return answer.Reply{}, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes.", maxBody)
	case err != nil:
		return answer.Reply{}, status.Error(codes.Canceled, "The request's body broke off.")
	}
	return asks[c.Answer](m.Name[len("models/"):], body)
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// writeReply answers with a message, or with a stream as Google does: a JSON
// array, or server-sent events for alt=sse.
func writeReply(w http.ResponseWriter, r *http.Request, reply answer.Reply) {
	switch {
	case reply.Stream == nil:
		wire.WriteJSON(w, http.StatusOK, reply.Message)
	case r.URL.Query().Get("alt") != "sse":
		wire.WriteJSON(w, http.StatusOK, reply.Stream)
	default:
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for _, piece := range reply.Stream {
			b, err := json.Marshal(piece)
			if err != nil {
				return // cannot happen: pieces are plain data
			}
			_, _ = w.Write([]byte("data: " + string(b) + "\r\n\r\n")) // the client went away: nobody is left to tell
		}
	}
}
