package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/metadata"
	"example.com/keyturn/internal/localgcp/principal"
	processes "example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/internal/localgcp/wire"
)

// Programs says what programs are run with. All fields but Printed are required.
type Programs struct {
	URL    func() string               // of the embedded cloud, without a trailing slash
	Number func(project string) string // a project's number
	Tokens metadata.Tokens             // of the accounts that programs run as
	// Identify tells whose identity token it is, if the audience is accepted.
	Identify func(token string, accepted func(audience string) bool) (email string, err error)
	// Caller tells who sends a request with any other credentials.
	Caller  func(*http.Request) (principal.Principal, error)
	Entries interface{ WriteEntry(*loggingpb.LogEntry) } // get what programs print
	Printed io.Writer                                    // gets it, too, from several at once; nil is nobody
}

// Program is what the revision of a service runs.
type Program struct {
	Path        string            // of the executable, which ends with its standard input
	Env         map[string]string // besides what Cloud Run sets
	Account     string            // e-mail address of the account that it runs as
	Concurrency int               // requests that it gets at once
	Timeout     time.Duration     // of a request
	// Forgiving takes a failure for an answer, where what called is a trigger: it
	// does not try again.
	Forgiving bool
}

// startUp is how long a program may take until it listens. Cloud Run waits for 4
// minutes [mem].
const startUp = 30 * time.Second

// patience is how long a part of a request's body may take to come.
const patience = time.Minute

// instance is the one process that runs a revision's program. Cloud Run would start
// more where the concurrency does not suffice: here requests wait.
type instance struct {
	Program
	revision Revision
	service  *Service
	metadata *wire.Server
	home     string // its home directory, which is empty
	slots    chan struct{}

	mu      sync.Mutex
	stopped bool
	process *processes.Process
	handler http.Handler
}

// Serve deploys a revision that runs a program, at the service's URL. It does nothing
// but say why if the program does not start.
func (s *Service) Serve(ctx context.Context, r Revision, p Program) error {
	r.URL = s.URL(r.Service)
	i := &instance{Program: p, revision: r, service: s, slots: make(chan struct{}, max(p.Concurrency, 1))}
	if err := i.furnish(); err != nil {
		return err
	}
	if _, err := i.ready(ctx); err != nil {
		i.stop()
		return err
	}
	s.deployed(r, i)
	return nil
}

// furnish makes what the program is to find.
func (i *instance) furnish() (err error) {
	if i.home, err = os.MkdirTemp(filepath.Dir(i.Path), "home-"); err != nil {
		return fmt.Errorf("making a home for revision %s: %w", i.revision.Name, err)
	}
	p, name := i.service.cfg.Programs, i.revision.Service
	i.metadata, err = wire.Listen("127.0.0.1:0", metadata.New(metadata.Config{
		Email: i.Account, Project: part(name, 1), Number: p.Number(part(name, 1)), Region: part(name, 3), Tokens: p.Tokens,
	}))
	if err != nil {
		return fmt.Errorf("serving the metadata of revision %s: %w", i.revision.Name, err)
	}
	return nil
}

var errStopped = errors.New("the revision has been stopped")

// ready returns what serves the program, which it starts if it does not run.
func (i *instance) ready(ctx context.Context) (http.Handler, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped {
		return nil, errStopped
	}
	if i.process != nil {
		select {
		case <-i.process.Done():
		default:
			return i.handler, nil
		}
	}
	addr, err := processes.FreeAddr()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startUp)
	defer cancel()
	if i.process, err = processes.Start(ctx, i.command(addr), addr); err != nil {
		i.process = nil
		return nil, status.Errorf(codes.FailedPrecondition, "Revision '%s' is not ready and cannot serve traffic. The user-provided container failed to start and listen on the port defined provided by the PORT environment variable within the allocated timeout: %v. Its log says more.", i.revision.Name, err)
	}
	i.handler = processes.Proxy(&url.URL{Scheme: "http", Host: addr}, patience)
	return i.handler, nil
}

// trusted are the variables that say whose certificates servers may have, such as those
// of a company's own authority (pkg.go.dev/crypto/x509#SystemCertPool).
var trusted = []string{"SSL_CERT_FILE", "SSL_CERT_DIR"}

// command is how the program is run: by what it is told, and what Cloud Run tells it
// (docs.cloud.google.com/run/docs/container-contract#env-vars).
func (i *instance) command(addr string) *exec.Cmd {
	name := i.revision.Service
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(i.Path)
	cmd.Dir, cmd.Env = i.home, []string{"HOME=" + i.home, "PATH=" + os.Getenv("PATH")}
	for _, v := range trusted {
		if value := os.Getenv(v); value != "" {
			cmd.Env = append(cmd.Env, v+"="+value)
		}
	}
	for v, value := range i.Env {
		cmd.Env = append(cmd.Env, v+"="+value)
	}
	cmd.Env = append(cmd.Env,
		"PORT="+port, "K_SERVICE="+part(name, 5), "K_REVISION="+i.revision.Name, "K_CONFIGURATION="+part(name, 5),
		"CLOUD_RUN_TIMEOUT_SECONDS="+strconv.Itoa(int(i.Timeout.Seconds())),
		"GCE_METADATA_HOST="+i.metadata.Addr, // where Google's clients look for it instead of at Google's
	)
	out := &processes.Log{
		Printed: i.service.cfg.Programs.Printed, Entries: i.service.cfg.Programs.Entries, Project: part(name, 1), Text: true,
		Labels: map[string]string{"location": part(name, 3), "service_name": part(name, 5), "configuration_name": part(name, 5), "revision_name": i.revision.Name},
	}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// ServeHTTP has the program answer a request, once it is its turn. What gets one
// request at a time goes on when its caller hangs up, which processes.OneAtATime says
// why.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-r.Context().Done():
		return
	}
	h, err := i.ready(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	ctx := r.Context()
	if cap(i.slots) == 1 {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	defer cancel()
	if i.Forgiving && r.Header.Get("Ce-Id") != "" {
		w = forgiven{w}
	}
	h.ServeHTTP(w, r.WithContext(ctx))
}

// forgiven tells whoever delivers an event that it was taken, whatever became of it.
type forgiven struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (f forgiven) WriteHeader(code int) {
	if code >= http.StatusMultipleChoices {
		code = http.StatusOK
	}
	f.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (f forgiven) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// stop ends the process, for good.
func (i *instance) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
	if i.process != nil {
		i.process.Stop()
	}
	if i.metadata != nil {
		_ = i.metadata.Close() // nobody is left to ask it
	}
	_ = os.RemoveAll(i.home) // it goes with the directory around it, too
}

// Close ends every program.
func (s *Service) Close() error {
	s.mu.Lock()
	all := make([]*service, 0, len(s.services))
	for _, one := range s.services {
		all = append(all, one)
	}
	s.mu.Unlock()
	for _, one := range all {
		one.stop()
	}
	return nil
}
