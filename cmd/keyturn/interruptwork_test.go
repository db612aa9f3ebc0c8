//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
)

// desk is where somebody works on a cloud of his own.
type desk struct {
	*testing.T
	gcp   *localgcp.Cloud
	clock *clock.Clock
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	var err error
	if d.gcp, err = localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "local", Clock: d.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.gcp.Close() })
	for _, id := range event.Topics {
		if _, err := d.gcp.PubSub.CreateTopic(t.Context(), &pubsubpb.Topic{Name: "projects/local/topics/" + id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := seedAt(t.Context(), d.gcp.Addr(), "local"); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(10 * time.Minute)
	return d
}

func (d *desk) at(args []string) []string {
	return append(slices.Clone(args), "--endpoint", d.gcp.Addr(), "--project", "local")
}

// must runs a command that has to succeed, and tells what it said.
func (d *desk) must(args ...string) string {
	d.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(d.Context(), d.at(args), &stdout, &stderr); code != exitOK {
		d.Fatalf("keyturn %s exits with %d: %s", strings.Join(args, " "), code, &stderr)
	}
	return stdout.String()
}

func (d *desk) standings() []rotate.Report {
	d.Helper()
	var all statusList
	if err := json.Unmarshal([]byte(d.must("status", "--json")), &all); err != nil {
		d.Fatal(err)
	}
	return all.Credentials
}

// keys is how many keys the account billing has, once the list is up to date.
func (d *desk) keys() int {
	d.Helper()
	d.clock.Advance(20 * time.Minute)
	cloud, err := gcp.New(gcp.Config{Project: "local", Endpoint: d.gcp.Addr()})
	if err != nil {
		d.Fatal(err)
	}
	defer cloud.Close()
	listed, err := cloud.AccountKeys(d.Context(), "projects/local/serviceAccounts/billing@local.iam.gserviceaccount.com")
	if err != nil {
		d.Fatal(err)
	}
	return len(listed)
}

// interrupted runs a command and presses Ctrl-C, in effect, while its nth call of a
// method is under way, which is answered to nobody else.
func (d *desk) interrupted(method string, nth int64, args ...string) (stdout, stderr string) {
	d.Helper()
	under := &notice{text: "called", seen: make(chan struct{})}
	var calls atomic.Int64
	d.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if !strings.HasSuffix(m, method) || calls.Add(1) != nth {
			return fault.Fault{}
		}
		_, _ = under.Write([]byte("called")) // it never fails
		return fault.Fault{Delay: time.Hour} // until the caller is gone
	})
	defer d.gcp.Faults.Set(nil)
	cmd := exec.Command("keyturn", d.at(args)...)
	cmd.Env = cleanEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	code, stdout, stderr := interruptOn(d.T, cmd, under)
	if code != exitFailed {
		d.Errorf("exit code %d, want %d", code, exitFailed)
	}
	return stdout, stderr
}

// TestInterruptRotate at each write leaves a state with which the same command, and the
// sweeps, go on: in the end there is one new key, and no other.
func TestInterruptRotate(t *testing.T) {
	for method, nth := range map[string]int64{"/UpdateSecret": 1, "/CreateSecret": 1, "/AddSecretVersion": 2, "/UploadServiceAccountKey": 1, "POST /token": 1} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.must("adopt", "billing-key", "--service-account", "billing@local.iam.gserviceaccount.com")
			_, stderr := d.interrupted(method, nth, "rotate", "billing-key")
			if want := "keyturn: interrupted: what was begun stands in the journal, and sweeps go on with it; 'keyturn status billing-key' shows how far it is"; !strings.Contains(stderr, want) {
				t.Errorf("it does not say how to go on:\n%s", stderr)
			}
			if current := d.standings()[0].Journal.Current; current == nil || current.Version != "1" {
				t.Errorf("consumers are given %+v", current)
			}
			for range 2 {
				d.clock.Advance(20 * time.Minute)
				d.must("rotate", "billing-key", "--id", "r1")
			}
			for d.standings()[0].Journal.Incoming != nil {
				d.clock.Advance(20 * time.Minute)
				d.must("rotate", "billing-key")
			}
			s := d.standings()[0].Journal
			if s.Incoming != nil || s.Current.Version != "2" || len(s.Retiring) != 1 {
				t.Errorf("in the end: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
			}
			if keys := d.keys(); keys != 2 {
				t.Errorf("there are %d keys, want 2", keys)
			}
		})
	}
}

// TestInterruptApply in the middle of each change says how many were made, and the same
// command makes the others.
func TestInterruptApply(t *testing.T) {
	const list = `credentials:
  - secret: billing-key
    service-account: billing@local.iam.gserviceaccount.com
  - secret: gemini-key
    api-key: gemini
`
	for change := range 2 {
		for _, form := range []string{"", "--json"} {
			t.Run(fmt.Sprint(change, form), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				file := filepath.Join(t.TempDir(), "credentials.yaml")
				if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
					t.Fatal(err)
				}
				apply := slices.DeleteFunc([]string{"apply", "-f", file, "--yes", form}, func(arg string) bool { return arg == "" })
				stdout, stderr := d.interrupted("/UpdateSecret", int64(change+1), apply...)
				if want := fmt.Sprintf("interrupted: %d of 2 changes were made; run it again to go on with the others", change); !strings.Contains(stderr, want) {
					t.Errorf("it does not say %q:\n%s", want, stderr)
				}
				if form != "" {
					var told applied
					if err := json.Unmarshal([]byte(stdout), &told); err != nil || len(told.Changes) != 2 || told.Changes[change].Result != "failed" {
						t.Errorf("it answers %s (%v)", stdout, err)
					}
				}
				if made := len(d.standings()); made != change {
					t.Errorf("%d are registered, want %d", made, change)
				}
				if said := d.must("apply", "-f", file, "--yes"); !strings.Contains(said, fmt.Sprintf("%d of %[1]d changes were made", 2-change)) {
					t.Errorf("the second time it says:\n%s", said)
				}
				if said := d.must("apply", "-f", file, "--yes"); len(d.standings()) != 2 || !strings.Contains(said, "nothing to do") {
					t.Errorf("the third time it says:\n%s", said)
				}
			})
		}
	}
}

// TestInterruptSchedule in the middle of each change says how many were made, and the
// same command makes the others.
func TestInterruptSchedule(t *testing.T) {
	for change := range 2 {
		for _, form := range []string{"", "--json"} {
			t.Run(fmt.Sprint(change, form), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				file := filepath.Join(t.TempDir(), "scheduler.yaml")
				var list strings.Builder
				list.WriteString("jobs:\n")
				for n := range 2 {
					fmt.Fprintf(&list, "- {name: 'projects/${PROJECT_ID}/locations/${REGION}/jobs/j%d', schedule: '0 0 * * *', pubsubTarget: {topicName: projects/local/topics/keyturn-audit, attributes: {command: sweep}}}\n", n)
				}
				if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				apply := slices.DeleteFunc([]string{"schedule", "apply", "-f", file, "--yes", form}, func(arg string) bool { return arg == "" })
				stdout, stderr := d.interrupted("/CreateJob", int64(change+1), apply...)
				if want := fmt.Sprintf("interrupted: %d of 2 changes were made; run it again to go on with the others", change); !strings.Contains(stderr, want) {
					t.Errorf("it does not say %q:\n%s", want, stderr)
				}
				if form != "" {
					var told scheduleReport
					if err := json.Unmarshal([]byte(stdout), &told); err != nil || len(told.Changes) != 2 || told.Changes[change].Result != "failed" {
						t.Errorf("it answers %s (%v)", stdout, err)
					}
				}
				if said := d.must("schedule", "apply", "-f", file, "--yes"); !strings.Contains(said, fmt.Sprintf("%d of %[1]d changes were made", 2-change)) {
					t.Errorf("the second time it says:\n%s", said)
				}
				if said := d.must("schedule", "apply", "-f", file, "--yes"); !strings.Contains(said, "nothing to do") {
					t.Errorf("the third time it says:\n%s", said)
				}
			})
		}
	}
}
