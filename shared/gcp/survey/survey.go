// Package survey looks at a deployment: at all that deployment.Diagnose judges by. It
// only reads. No function links it.
package survey

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

// Config is what Look needs.
type Config struct {
	Cloud  *gcp.Cloud // required
	Region string     // of the functions and jobs; required
	// Check is what a function says of its environment, in the form of os.Environ;
	// required.
	Check func(environ []string) error
	// Unnamed says that the Cloud's project is none: only the caller is looked at.
	Unnamed bool
	Now     func() time.Time // policy time, by which jobs fire; nil is the machine's
	Wall    func() time.Time // the machine's clock, to compare with Google's; nil is time.Now
}

// look is one run of Look.
type look struct {
	Config
	*clients
	site deployment.Site
	o    deployment.Observed
}

// Look tells what it found. What could not be read says so in its place; an error is
// only that the clients could not be made.
func Look(ctx context.Context, c Config) (deployment.Site, deployment.Observed, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	l := &look{Config: c, site: deployment.Site{Project: c.Cloud.Project(), Region: c.Region}}
	l.o.Now = c.Now()
	l.caller(ctx)
	if l.o.Caller.Value.Lacks != "" || c.Unnamed {
		return l.site, l.o, nil
	}
	var err error
	if l.clients, err = dial(ctx, c.Cloud); err != nil {
		return l.site, l.o, err
	}
	defer l.close()
	l.project(ctx)
	if l.o.Project.Unread != nil || l.o.Project.Value.Gone != "" {
		return l.site, l.o, nil
	}
	l.site.Number = l.o.Project.Value.Number
	together(l.parts(), func(part func(context.Context)) { part(ctx) })
	l.policies(ctx)
	l.roles(ctx)
	return l.site, l.o, nil
}

// parts do not depend on each other, and each writes a field of its own.
func (l *look) parts() []func(context.Context) {
	return []func(context.Context){
		l.ancestors, l.skew, l.apis, l.accounts, l.topics, l.functions, l.subscriptions, l.sink, l.jobs, l.seals, l.credentials, l.exceeded,
	}
}

// atOnce is how many calls are under way.
const atOnce = 8

// together calls f for every item and returns when all have returned.
func together[T any](items []T, f func(T)) {
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for _, item := range items {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			f(item)
		})
	}
	all.Wait()
}

// unread is why something could not be read; nil for no error.
func unread(err error) *deployment.Unread {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	u := &deployment.Unread{Why: oneLine(s.Message()), Denied: s.Code() == codes.PermissionDenied}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() == "SERVICE_DISABLED" {
			u.API, u.Denied, u.Why = info.GetMetadata()["service"], false, info.GetMetadata()["service"]+" is not enabled"
		}
	}
	return u
}

// known is a part that was read, unless there is an error.
func known[T any](value T, err error) deployment.Part[T] {
	if err != nil {
		return deployment.Part[T]{Unread: unread(err)}
	}
	return deployment.Part[T]{Value: value}
}

// oneLine keeps a message to one line and to what fits there.
func oneLine(text string) string {
	const most = 300
	line := []rune(strings.Join(slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), func(s string) bool { return strings.TrimSpace(s) == "" }), "; "))
	return string(line[:min(len(line), most)])
}

// skew compares this machine's clock with the date of an answer of Google's.
func (l *look) skew(ctx context.Context) {
	address := "https://oauth2.googleapis.com/"
	if e := l.Cloud.Endpoint(); e != "" {
		address = "http://" + e + "/"
	}
	before := l.Wall()
	date, err := dateAt(ctx, address)
	if err != nil {
		l.o.Skew.Unread = &deployment.Unread{Why: oneLine(err.Error())}
		return
	}
	after := l.Wall()
	// The header has whole seconds, rounded down.
	l.o.Skew.Value = before.Add(after.Sub(before) / 2).Sub(date.Add(time.Second / 2))
}

func dateAt(ctx context.Context, address string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}
