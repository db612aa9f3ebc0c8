package sim

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/status"
)

// trace is the story of one world, a line an event: each call with its fault,
// each trigger, each move of the clock, each person's deed. Ids that differ
// from run to run are replaced by names that do not.
type trace struct {
	now   func() time.Time
	start time.Time
	lines []string
	names map[string]string // by key id
}

func (t *trace) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	t.lines = append(t.lines, fmt.Sprintf("%9s  %s", elapsed(t.now().Sub(t.start)), t.plain(line)))
}

func elapsed(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

// call notes a remote call.
func (t *trace) call(w *world, a *actor, c call, fault string, err error) {
	line := fmt.Sprintf("%s  %4d %s", a.name, w.calls, c.method)
	if on := subject(c.req); on != "" {
		line += " " + on
	}
	if err != nil {
		line += " → " + status.Code(err).String()
	}
	if fault != "" {
		line += "  ** " + fault
	}
	t.note("%s", line)
}

// subject is what a request is about, in short.
func subject(req any) string {
	switch r := req.(type) {
	case *secretmanagerpb.UpdateSecretRequest:
		return path.Base(r.GetSecret().GetName())
	case interface{ GetName() string }:
		return tail(r.GetName())
	case interface{ GetParent() string }:
		return tail(r.GetParent())
	case interface{ GetTopic() string }:
		return path.Base(r.GetTopic())
	}
	return ""
}

// tail is the end of a resource name by which people know it.
func tail(name string) string {
	for _, collection := range []string{"/secrets/", "/serviceAccounts/", "/keys/"} {
		if _, after, ok := strings.Cut(name, collection); ok {
			return after
		}
	}
	return path.Base(name)
}

// name gives a key id the name by which the trace knows it.
func (t *trace) name(id string) string {
	if known, ok := t.names[id]; ok {
		return known
	}
	name := fmt.Sprintf("key%d", len(t.names)+1)
	t.names[id] = name
	return name
}

var keyIDs = regexp.MustCompile(`\b[0-9a-f]{40}\b|keyturn-[0-9a-f]{16}`)

func (t *trace) plain(line string) string {
	return keyIDs.ReplaceAllStringFunc(line, t.name)
}

// String is the whole story.
func (t *trace) String() string { return strings.Join(t.lines, "\n") + "\n" }
