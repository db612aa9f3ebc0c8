package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/bench"
	"example.com/keyturn/cmd/keyturn/internal/demo"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
)

func TestProgressInLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.Advance(1) // before any stage: nothing to tell
	p.Stage("first", 20)
	for done := range 21 {
		p.Advance(done)
	}
	p.Stage("slow", 20)
	for done := range 21 {
		p.told = p.told.Add(-unhurried)
		p.Advance(done)
	}
	p.Stage("empty", 0)
	p.Advance(0)
	p.Stage("second", 3)
	p.Advance(3)
	p.finish()
	want := "first: 0 of 20\nfirst: 20 of 20\nslow: 0 of 20\n"
	for _, done := range []string{"2", "4", "6", "8", "10", "12", "14", "16", "18", "20"} {
		want += "slow: " + done + " of 20\n"
	}
	want += "empty: 0 of 0\nsecond: 0 of 3\nsecond: 3 of 3\n"
	if out.String() != want {
		t.Errorf("progress:\n%swant:\n%s", &out, want)
	}
}

func TestLastLines(t *testing.T) {
	for _, tt := range []struct {
		log  string
		n    int
		want string
	}{
		{"", 2, ""}, {"a\n", 2, "a\n"}, {"a\nb\n", 2, "a\nb\n"}, {"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc", 2, "b\nc"}, {"\n\n\n", 1, "\n"},
	} {
		if got := string(lastLines([]byte(tt.log), tt.n)); got != tt.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", tt.log, tt.n, got, tt.want)
		}
	}
}

func TestStatusTable(t *testing.T) {
	at := time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)
	key := rotation.Key{ID: "k", Phase: rotation.Active}
	in := &rotation.Key{Phase: rotation.Verified}
	failing := &rotation.Failure{Step: rotation.Verify, Reason: "the account is disabled"}
	report := func(name string, s rotate.Standing) rotate.Report {
		return rotate.Report{Secret: "projects/p/secrets/" + name, Kind: "service-account-key", Journal: &s}
	}
	active := report("active", rotate.Standing{Current: &key, Rotation: 3})
	active.Next = at
	revoking := report("a", rotate.Standing{Incoming: in, Failure: failing})
	revoking.Alive, revoking.Suspend = "k", &rotate.Suspension{Pending: true}
	dying := revoking
	dying.Alive = ""
	down := revoking
	down.Suspend = &rotate.Suspension{Until: at}
	for _, tt := range []struct {
		report rotate.Report
		want   string
	}{
		{report("new", rotate.Standing{}), " new "},
		{report("new", rotate.Standing{}), "next sweep"},
		{active, "active "},
		{active, "3  2030-01-07 08:00Z"},
		{report("rotating", rotate.Standing{Current: &key, Incoming: in}), "rotating: verified"},
		{report("retiring", rotate.Standing{Current: &key, Retiring: []rotation.Key{{Phase: rotation.Quarantined}}}), "old key quarantined"},
		{report("revoked", rotate.Standing{Current: &key, Retiring: []rotation.Key{{Phase: rotation.Quarantined, Revoked: true}}}), "old key revoked"},
		{report("two", rotate.Standing{Current: &key, Retiring: make([]rotation.Key, 2)}), "2 old keys"},
		{report("failing", rotate.Standing{Incoming: in, Failure: failing}), "failing at verify"},
		{rotate.Report{Secret: "projects/p/secrets/broken", Broken: []string{"annotation keyturn.journal is missing"}}, "unreadable: annotation"},
		{revoking, "failing: key STILL WORKS"},
		{dying, "failing: tokens STILL WORK"},
		{down, "ACCOUNT DISABLED until 08:00Z"},
	} {
		got := statusTable([]rotate.Report{tt.report}, usual)
		if !strings.Contains(got, tt.want) {
			t.Errorf("the table lacks %q:\n%s", tt.want, got)
		}
		fitsTerminal(t, got)
	}
}

func TestSecretOfAKey(t *testing.T) {
	with := func(name, key string) rotate.Report {
		return rotate.Report{Secret: "projects/p/secrets/" + name, Journal: &rotate.Standing{Current: &rotation.Key{ID: key}}}
	}
	all := []rotate.Report{
		{Secret: "projects/p/secrets/broken"}, with("one", "abc"),
		with("two", "projects/p/locations/global/keys/k"), with("three", "projects/q/locations/global/keys/k"),
	}
	for id, want := range map[string]string{
		"abc": "one", "projects/q/locations/global/keys/k": "three", "k": "the credentials two and three both have one", "z": "no credential has it",
	} {
		got, err := secretOf(all, id)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func TestComesNext(t *testing.T) {
	at := time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)
	const next = "next: a sweep, 2030-01-07 08:00Z"
	pending := &rotate.Suspension{Pending: true}
	for _, tt := range []struct {
		report rotate.Report
		want   string
	}{
		{rotate.Report{}, next},
		{rotate.Report{Alive: "k"}, "key k STILL WORKS; it is disabled as soon as its replacement has authenticated\n" + next},
		{rotate.Report{Alive: "k", Until: at, Suspend: pending}, "key k STILL WORKS; it is disabled as soon as its replacement has authenticated, about 08:00Z\n" +
			"tokens of the key STILL WORK; the account is disabled as soon as its replacement has authenticated, about 08:00Z\n" + next},
		{rotate.Report{Overdue: 3*3600 + 61}, next + ", overdue by 3 h: see whether sweeps run, with 'keyturn doctor'"},
		{rotate.Report{Suspend: pending}, "tokens of the revoked key STILL WORK; the next sweep disables the account\n" + next},
		{rotate.Report{Suspend: &rotate.Suspension{Until: at}}, "ACCOUNT DISABLED until 2030-01-07 08:00Z, so that tokens of a revoked key die\n" + next},
	} {
		tt.report.Next, tt.report.Then = at, "a sweep"
		if got := comesNext(tt.report); got != tt.want {
			t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
		}
	}
}

func TestStepsSayWhyInShort(t *testing.T) {
	got := stepsTable([]rotate.StepReport{
		{Step: rotation.Hasten, Result: "done", Key: strings.Repeat("a", 40), Why: "the key is to be revoked"},
		{Step: rotation.Disable, Result: "waiting", Key: "projects/p/locations/global/keys/k", Why: strings.Repeat("because ", 30)},
		{Step: rotation.Publish, Result: "rpc error: code = NotFound desc = gone", Why: "rpc error: code = NotFound desc = Not found."},
	}, usual)
	for _, want := range []string{"hasten   done     aaaaaaaaa…  the key is to be revoked", "waiting  k ", "FAILED", " Not found."} {
		if !strings.Contains(got, want) {
			t.Errorf("the steps lack %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "rpc error") {
		t.Errorf("the steps say what only machines read:\n%s", got)
	}
	fitsTerminal(t, strings.ReplaceAll(got, "…", "."))
}

func TestDetailsSayWhatGoogleSaid(t *testing.T) {
	got := details(rotate.Report{Secret: "projects/p/secrets/s", Kind: "api-key", Journal: &rotate.Standing{
		Target: "projects/p/locations/global/keys/k",
		Retiring: []rotation.Key{
			{ID: "projects/p/locations/global/keys/k", Phase: rotation.Overlapping, Evidence: &rotation.Evidence{Use: rotation.Unknown, Reason: "rpc error: code = Internal desc = no idea"}},
		},
		Failure: &rotation.Failure{Step: rotation.Publish, Count: 2, Reason: "rpc error: code = NotFound desc = gone"},
	}}, usual)
	for _, want := range []string{"s: api-key of k\n", "\nk: unknown: no idea\n", "\nfailed 2 times at publish: gone\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}

func TestPreview(t *testing.T) {
	r := rotate.Reach{
		Account: "a@p.iam.gserviceaccount.com", Credentials: []string{"s"}, Uses: "Cloud Monitoring knows of no use in the last day",
		Keys: []rotate.ReachedKey{{ID: "k1", Is: "in use, TO BE REVOKED", Used: time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)}, {ID: "k2", Is: "not keyturn's"}},
	}
	got := preview(r)
	for _, want := range []string{
		"AT ONCE", "Meanwhile NOTHING that uses it works:\n", "   1 secrets that keyturn manages with keys of it\n       s\n",
		"\n       k1  in use, TO BE REVOKED; used 2030-01-07 08:00Z\n       k2  not keyturn's\n",
		"callers: none in the audit logs, which do not record reads by default",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the preview lacks %q:\n%s", want, got)
		}
	}
	r.Waits, r.Users = true, []string{"somebody"}
	if got := preview(r); strings.Contains(got, "AT ONCE") || !strings.Contains(got, "Not yet: once") || !strings.Contains(got, "   1 callers seen") {
		t.Errorf("the preview of what is to come:\n%s", got)
	}
}

// TestNobodyIsWaitedForAfterCtrlC even if nobody types anything, ever.
func TestNobodyIsWaitedForAfterCtrlC(t *testing.T) {
	silent, typist := io.Pipe()
	defer typist.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if line, err := readLine(ctx, silent); line != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, error %v", line, err)
	}
}

// What is over soon is not reported on.
func TestProgressWaits(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.patience = time.Hour
	p.Bytes("reading", 100)
	p.Advance(50)
	if out.Len() > 0 {
		t.Errorf("at once it says %q", &out)
	}
	p.began = p.began.Add(-2 * time.Hour)
	p.Advance(60)
	if out.String() != "reading: 60 of 100 bytes\n" {
		t.Errorf("after a while it says %q", &out)
	}
}

// TestABarStaysWhereItIs when the work is given up.
func TestABarStaysWhereItIs(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.bar = newBar(&out, "hours", 10)
	p.Advance(3)
	p.finish()
	if got := out.String(); !strings.Contains(got, "(3/10)") || strings.Contains(got, "10/10") || !strings.HasSuffix(got, "\n") {
		t.Errorf("bar %q", got)
	}
	p.bar = newBar(&out, "hours", 10)
	p.Stage("next", 1)
	if got := out.String(); !strings.Contains(got, "10/10") {
		t.Errorf("of the stage that is over: %q", got)
	}
}

func TestAQuotaThatWasNotMetIsNotTold(t *testing.T) {
	r := bench.RotateResult{}
	if got := rotateTable(r); strings.Contains(got, "quota of") || !strings.Contains(got, "rotations/min.\n0 MB at most") {
		t.Errorf("without a quota:\n%s", got)
	}
	r.Quota, r.CeilingPerMin = "IAM writes", 12
	if got := rotateTable(r); !strings.Contains(got, "\nHalf of the quota of IAM writes allows 12.0 rotations/min.\n") {
		t.Errorf("with one:\n%s", got)
	}
}

func TestDemoTableFitsATerminal(t *testing.T) {
	r := demo.Result{Seconds: 21.55, PeakMB: 160}
	r.Consumers.Requests = 12345
	r.Promises = []demo.Promise{
		{Name: "every credential was rotated twice by schedule", Held: true, Saw: "18 promoted, 18 retired"},
		{Name: "no consumer failed", Saw: "99999 of 99999 requests", Details: []string{"one", "two"}},
	}
	r.Loop = demo.Loop{Keys: 5, Key: strings.Repeat("a", 40), Secret: "projects/p/secrets/consumer-2-key", From: "203.0.113.66", Successor: strings.Repeat("b", 40), Consumers: demo.Meanwhile{Requests: 12345}}
	got := demoTable(r)
	for _, want := range []string{"yes", "NO", "old key aaaaaaaa of consumer-2-key used from 203.0.113.66", "\n\n21.6 s, 160 MB, 573 requests/s"} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
	fitsTerminal(t, got)
}

func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := len(strings.TrimRight(line, " \n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// full is a standard output that takes nothing, such as a full disk.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range [][]string{{"local", "env"}, {"local", "env", "--json"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, full{}, &stderr); code != exitFailed || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%v: exit code %d, standard error %q", args, code, &stderr)
		}
	}
}
