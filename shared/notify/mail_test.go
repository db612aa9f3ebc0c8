package notify

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

func TestMailArrives(t *testing.T) {
	o := office(t, startTLS)
	a := stolenKey(alerting.Open)
	if err := o.mail().Deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	l := o.next(t)
	if l.from != "alerts@acme.example" || strings.Join(l.to, " ") != "ann@acme.example bo@acme.example" {
		t.Errorf("from %q to %q", l.from, l.to)
	}
	for name, want := range map[string]string{
		"From": `"keyturn" <alerts@acme.example>`, "To": `<ann@acme.example>, "Bo" <bo@acme.example>`,
		"Subject":    "[CRITICAL open] retired-key-used: billing@acme.iam.gserviceaccount.com, in project acme",
		"Message-Id": "<alert." + a.ID + "@acme.example>", "References": "<incident." + incident + "@acme.example>", "In-Reply-To": "<incident." + incident + "@acme.example>",
		"Auto-Submitted": "auto-generated", "Keyturn-Severity": "critical", "Keyturn-State": "open", "Importance": "high",
	} {
		if got := l.header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if at, err := l.header.Date(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("date %v, %v", at, err)
	}
	m := compose(a, deployed)
	page, err := mailHTML(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"text/plain": mailText(m), "text/html": page}, unixLines(l.parts)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// unixLines undoes what SMTP does to lines.
func unixLines(parts map[string]string) map[string]string {
	out := map[string]string{}
	for kind, text := range parts {
		out[kind] = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return out
}

func TestMailsOfAnIncidentAreOneThread(t *testing.T) {
	o := office(t, startTLS)
	var subjects, threads, ids []string
	for i, state := range []alerting.State{alerting.Open, alerting.Escalated, alerting.Resolved} {
		a := stolenKey(state)
		a.ID = strings.Repeat(string(rune('a'+i)), 32)
		for range 2 { // an attempt that was repeated is the same mail
			if err := o.mail().Deliver(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			l := o.next(t)
			subjects, threads, ids = append(subjects, l.subject(t)), append(threads, l.header.Get("References")), append(ids, l.header.Get("Message-Id"))
		}
	}
	for i := range subjects {
		state, base, _ := strings.Cut(subjects[i], "] ")
		if want := "[CRITICAL " + []string{"open", "escalated", "resolved"}[i/2]; state != want || !strings.HasSuffix(subjects[0], "] "+base) || threads[i] != threads[0] {
			t.Errorf("mail %d: %s in %s", i, subjects[i], threads[i])
		}
	}
	if ids[0] != ids[1] || ids[1] == ids[2] || ids[2] != ids[3] || ids[3] == ids[4] {
		t.Errorf("ids %q", ids)
	}
}

func TestMailHoldsHostileTexts(t *testing.T) {
	o := office(t, startTLS)
	if err := o.mail().Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	usual := o.next(t).fields()
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			a := hostile(text)
			a.ID, a.Incident = text, text
			if err := o.mail().Deliver(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			l := o.next(t)
			if diff := cmp.Diff(usual, l.fields()); diff != "" {
				t.Errorf("header fields, -want +got:\n%s", diff)
			}
			if strings.Join(l.to, " ") != "ann@acme.example bo@acme.example" || strings.ContainsAny(l.subject(t), "\r\n") || len(l.parts) != 2 {
				t.Errorf("to %q, subject %.100q, %d parts", l.to, l.subject(t), len(l.parts))
			}
			for line := range strings.Lines(l.raw) {
				if len(line) > 1000 {
					t.Errorf("a line of %d bytes: %.100s", len(line), line)
				}
			}
			checkPage(t, l.parts["text/html"])
		})
	}
}

// checkPage holds that a page has no elements, attributes or links but the template's.
func checkPage(t *testing.T, page string) {
	t.Helper()
	const tags = " html head meta title body table tbody tr td th div p b pre a "
	const attributes = " lang charset name content style role width cellspacing cellpadding align valign href "
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode || n.Type == html.ElementNode && !strings.Contains(tags, " "+n.Data+" ") {
			t.Errorf("the page has %q", n.Data)
		}
		for _, a := range n.Attr {
			if !strings.Contains(attributes, " "+a.Key+" ") || a.Key == "href" && !strings.HasPrefix(a.Val, "https://") {
				t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

func TestMailFailures(t *testing.T) {
	refused := func(code int, text string) error { return &smtp.SMTPError{Code: code, Message: text} }
	for name, c := range map[string]struct {
		change    func(*Mail, *postOffice)
		want      string
		permanent bool
	}{
		"wrong password":      {func(m *Mail, _ *postOffice) { m.Password = "xS3CRETx" }, "answered 535", true},
		"login is busy":       {func(_ *Mail, o *postOffice) { o.refuse["AUTH"] = refused(454, "later") }, "454", false},
		"sender refused":      {func(_ *Mail, o *postOffice) { o.refuse["MAIL"] = refused(550, "not you") }, "550", true},
		"greylisted":          {func(_ *Mail, o *postOffice) { o.refuse["RCPT"] = refused(451, "come back later") }, "451", false},
		"unknown recipient":   {func(_ *Mail, o *postOffice) { o.refuse["RCPT"] = refused(550, "who?") }, "who?", true},
		"full":                {func(_ *Mail, o *postOffice) { o.refuse["DATA"] = refused(452, "full") }, "full", false},
		"spam":                {func(_ *Mail, o *postOffice) { o.refuse["DATA"] = refused(554, "spam") }, "spam", true},
		"strange certificate": {func(m *Mail, _ *postOffice) { m.Client = NewClient(Egress{AllowPrivate: true}) }, "certificate", false},
		"other host's name":   {func(m *Mail, _ *postOffice) { m.Host = "localhost" }, "certificate", false},
		"nobody listens":      {func(m *Mail, _ *postOffice) { m.Port = 1 }, "refused", false},
		"no such port":        {func(m *Mail, _ *postOffice) { m.Port = 70_000 }, "its settings are wrong", true},
		"not encrypted first": {func(m *Mail, _ *postOffice) { m.Implicit = true }, "", false},
		"from nowhere":        {func(m *Mail, _ *postOffice) { m.From = "x" }, "the address that it is from cannot be read", true},
		"to nobody":           {func(m *Mail, _ *postOffice) { m.To = nil }, "the addresses that it goes to cannot be read", true},
		"to nowhere":          {func(m *Mail, _ *postOffice) { m.To = []string{"a@b.example", "x\r\nBcc: y@z.example"} }, "the addresses that it goes to cannot be read", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := office(t, startTLS)
			m := o.mail()
			c.change(m, o)
			f := checkError(t, m.Deliver(t.Context(), stolenKey(alerting.Open)), c.want)
			if f.Permanent != c.permanent || strings.Contains(f.Error(), mailPassword) {
				t.Errorf("permanent %v, want %v: %v", f.Permanent, c.permanent, f)
			}
			if len(o.letters) != 0 {
				t.Error("it came all the same")
			}
		})
	}
}

func TestMailByImplicitTLS(t *testing.T) {
	o := office(t, implicitTLS)
	m := o.mail()
	m.Implicit = true
	if err := m.Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	if l := o.next(t); l.header.Get("Keyturn-State") != "open" {
		t.Errorf("header %v", l.header)
	}
	m.Implicit = false // waits for a greeting that comes encrypted only
	m.Client = NewClient(Egress{AllowPrivate: true, Roots: o.roots, Timeout: 50 * time.Millisecond})
	checkError(t, m.Deliver(t.Context(), stolenKey(alerting.Open)), "took too long")
}

// TestMailWithoutALogin: to a relay that knows keyturn by its address.
func TestMailWithoutALogin(t *testing.T) {
	o := office(t, startTLS)
	m := o.mail()
	m.Username, m.Password = "", ""
	if err := m.Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Fatal(err)
	}
	o.next(t)
}

// TestAMailThatArrivedIsNotSentAgain, although the good-bye fails.
func TestAMailThatArrivedIsNotSentAgain(t *testing.T) {
	o := office(t, startTLS)
	o.refuse["RESET"] = errors.New("gone") // the connection breaks once the mail is taken
	if err := o.mail().Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Error(err)
	}
	o.next(t)
}

func TestNothingIsMailedInTheClear(t *testing.T) {
	o := office(t, inTheClear)
	if f := checkError(t, o.mail().Deliver(t.Context(), stolenKey(alerting.Open)), "does not support STARTTLS"); f.Permanent {
		t.Error("somebody in between who strips STARTTLS for a moment makes it a failure for ever")
	}
	if len(o.letters) != 0 {
		t.Error("it came in the clear")
	}
}

// TestAMailServerThatSaysNothing is given up in time, and when the caller gives up.
func TestAMailServerThatSaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	m := (&postOffice{host: "127.0.0.1", port: listener.Addr().(*net.TCPAddr).Port}).mail()
	m.Client = NewClient(Egress{AllowPrivate: true, Timeout: 30 * time.Millisecond})
	checkError(t, m.Deliver(t.Context(), stolenKey(alerting.Open)), "the mail server took too long")
	m.Client = neighbours()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Deliver(ctx, stolenKey(alerting.Open)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
