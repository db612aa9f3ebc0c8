// Package keyturn registers keyturn's functions with the functions framework.
// It holds the table and nothing else: what a function does stands in
// functions/, and nothing is dialled or read before the first call.
package keyturn

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/functions/audit"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/identity"
	"example.com/keyturn/shared/state"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Schedule is scheduler.yaml, so that the local runner fires the same jobs.
//
//go:embed scheduler.yaml
var Schedule []byte

func init() {
	functions.CloudEvent("Rotate", onEvent(func(s *services) eventHandler { return s.rotate().HandleEvent }))
	functions.CloudEvent("Audit", onEvent(func(s *services) eventHandler { return s.audit().HandleEvent }))
	functions.CloudEvent("Alert", onEvent(func(s *services) eventHandler { return s.alert().HandleEvent }))
	functions.HTTP("RotateHTTP", onRequest(func(s *services) http.HandlerFunc { return s.rotate().HandleHTTP }))
	functions.HTTP("AuditHTTP", onRequest(func(s *services) http.HandlerFunc { return s.audit().HandleHTTP }))
	functions.HTTP("AlertHTTP", onRequest(func(s *services) http.HandlerFunc { return s.alert().HandleHTTP }))
}

type eventHandler = func(context.Context, cloudevents.Event) error

// services are the three functions of one instance. Each is made when it is first asked
// for: of what is deployed an instance serves one.
type services struct {
	rotate func() *rotate.Function
	audit  func() *audit.Function
	alert  func() *alert.Function
}

var instance struct {
	sync.Mutex
	*services
}

// errConfiguration is all that a caller is told; the log says what is wrong.
var errConfiguration = errors.New("keyturn: the function is not configured; see its log")

// configured builds the services at the first call, and again at the next one
// while the environment is wrong.
func configured(ctx context.Context) (*services, error) {
	instance.Lock()
	defer instance.Unlock()
	if instance.services == nil {
		s, err := build(ctx, os.Environ())
		if err != nil {
			slog.New(logHandler()).Error("configuration", "error", err.Error())
			return nil, errConfiguration
		}
		instance.services = s
	}
	return instance.services, nil
}

// CheckEnvironment is what a function says of its environment, in the form of
// os.Environ, when it starts.
func CheckEnvironment(environ []string) error {
	_, _, err := readEnvironment(environ)
	return err
}

func readEnvironment(environ []string) (env gcp.Environment, callers door.Callers, err error) {
	env, err = gcp.ReadEnvironment(environ, func(env gcp.Environment) (err error) {
		callers, err = door.ParseCallers(env.Callers, slices.Concat(rotate.Actions(), audit.Actions(), alert.Actions()))
		return err
	})
	return env, callers, err
}

func build(ctx context.Context, environ []string) (*services, error) {
	env, callers, err := readEnvironment(environ)
	if err != nil {
		return nil, err
	}
	cloud, err := gcp.New(env.Config)
	if err != nil {
		return nil, err
	}
	log := slog.New(logHandler())
	rules, channels, err := alerts(ctx, env, cloud, log)
	if err != nil {
		return nil, err
	}
	entrance, now := entrance(env, callers, log), cloud.Clock()
	return &services{
		rotate: sync.OnceValue(func() *rotate.Function {
			return rotate.New(rotate.Config{Cloud: cloud, Now: now, Log: log, Door: entrance, Timeout: env.Timeout})
		}),
		audit: sync.OnceValue(func() *audit.Function {
			return audit.New(audit.Config{Publisher: cloud, Logs: cloud, Store: shared(env, cloud, "audit", ""), Secrets: cloud, Metrics: cloud, Cloud: cloud, Project: env.Project, Rotators: audit.Rotators(env.Project), Now: now, Log: log, Door: entrance})
		}),
		alert: sync.OnceValue(func() *alert.Function {
			return alert.New(alert.Config{Publisher: cloud, Seals: cloud, Rules: rules, Channels: channels, Store: shared(env, cloud, "alert", "alert"), Now: now, Log: log, Door: entrance})
		}),
	}, nil
}

// entrance is the door of the three functions that people call. Tokens of the
// embedded cloud are its own, and there whoever has none is let in if nobody says
// who may be.
func entrance(env gcp.Environment, callers door.Callers, log *slog.Logger) *door.HTTP {
	checked := env.CheckedBy == gcp.CheckedByCloudRun
	tokens := identity.Config{Audiences: strings.Fields(env.Audiences), Unsigned: checked}
	if env.Endpoint != "" {
		tokens.KeysURL = "http://" + env.Endpoint + "/oauth2/v3/certs"
	}
	return door.NewHTTP(door.Config{Verifier: identity.New(tokens), Callers: callers, Checked: checked, Open: env.Endpoint != "", Log: log})
}

// shared is where the instances of a function keep what they know in common: its
// Firestore collection, or a folder of the state directory; nil is nowhere.
func shared(env gcp.Environment, cloud *gcp.Cloud, function, folder string) alert.Store {
	switch env.State {
	case "":
		return nil
	case gcp.StateFirestore:
		return cloud.Documents("keyturn-" + function)
	}
	return &state.Directory{Path: filepath.Join(env.State, folder)}
}

// logHandler writes the form that Cloud Logging reads from standard output.
func logHandler() slog.Handler {
	names := map[string]string{slog.LevelKey: "severity", slog.MessageKey: "message", slog.TimeKey: "time"}
	return slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if name, ok := names[a.Key]; ok && len(groups) == 0 {
			a.Key = name
		}
		if a.Key == "severity" && a.Value.String() == "WARN" {
			a.Value = slog.StringValue("WARNING")
		}
		return a
	}})
}

func onEvent(pick func(*services) eventHandler) eventHandler {
	return func(ctx context.Context, e cloudevents.Event) error {
		s, err := configured(ctx)
		if err != nil {
			return err
		}
		return pick(s)(ctx, e)
	}
}

func onRequest(pick func(*services) http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := configured(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		pick(s)(w, r)
	}
}
