package detect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// at puts somebody's success at the place that the unnamed calls come from.
func at(principal string, after time.Duration) Entry {
	e := allowed("storage.objects.get", after)
	e.Principal, e.CallerIP, e.UserAgent = principal, "192.0.2.7", "python-requests/2"
	return e
}

func TestUnnamedCallsAreStitched(t *testing.T) {
	const place = "192.0.2.7 python-requests/2"
	log := mints(6, 10*time.Second)
	masked := by("ro...t@p.iam...m", log)
	inside := slices.Clone(log)
	for i := range inside {
		inside[i].CallerIP = "gce-internal-ip"
	}
	for name, c := range map[string]struct {
		log  []Entry
		want []string // subjects of what is told first
	}{
		"nobody else was there":                    {log, []string{place}},
		"somebody was before":                      {append([]Entry{at(robot, -9*time.Minute)}, log...), []string{robot}},
		"and is still":                             {append([]Entry{at(robot, -9*time.Minute), at(robot, 0)}, log...), []string{robot}},
		"too long before":                          {append([]Entry{at(robot, -12*time.Minute)}, log...), []string{place}},
		"somebody comes in the middle":             {slices.Insert(slices.Clone(log), 3, at(robot, 25*time.Second)), []string{robot}},
		"somebody comes right after":               {append(slices.Clone(log), at(robot, 2*time.Minute)), []string{robot}},
		"somebody comes when it was told":          {append(slices.Clone(log), at(robot, 8*time.Minute)), []string{place, robot}},
		"somebody comes too late":                  {append(slices.Clone(log), at(robot, 20*time.Minute)), []string{place}},
		"two were there":                           {append([]Entry{at(robot, -time.Minute), at("other@x", -time.Minute)}, log...), []string{place}},
		"three were there":                         {append([]Entry{at(robot, -time.Minute), at("other@x", -time.Minute), at("third@x", -time.Minute)}, log...), []string{place}},
		"one of them long ago":                     {append([]Entry{at("other@x", -30*time.Minute), at(robot, -time.Minute)}, log...), []string{robot}},
		"letters are left out, and fit":            {append([]Entry{at(robot, -time.Minute)}, masked...), []string{robot}},
		"letters are left out, and fit afterwards": {append(slices.Clone(masked), at(robot, 2*time.Minute)), []string{robot}},
		"letters are left out, and do not fit":     {append([]Entry{at("other@x", -time.Minute)}, masked...), []string{"ro...t@p.iam...m " + place}},
		"nobody is known by an address inside":     {append([]Entry{at(robot, -time.Minute)}, inside...), nil},
	} {
		var got []string
		for _, f := range of(TokenMinting, observe(c.log)) {
			if !f.Update {
				got = append(got, f.Subject)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told of %q, want %q", name, got, c.want)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		mask, name string
		want       bool
	}{
		{"ri...e@gm...m", "rita.moore@gmail.com", true},
		{"ri...e@gm...m", "rita.moore@example.com", false},
		{"ri...e@gm...m", "erita.moore@gmail.com", false},
		{"ri...e@gm...m", "rita.moore@gmail.org", false},
		{"", "rita.moore@gmail.com", true},
	} {
		if got := fits(c.mask, c.name); got != c.want {
			t.Errorf("fits(%q, %q) = %v", c.mask, c.name, got)
		}
	}
}

func TestIdentityAndStranger(t *testing.T) {
	for name, c := range map[string]struct {
		entry           Entry
		identity, else_ string
	}{
		"e-mail first":              {Entry{Principal: "a@x", PrincipalSubject: "user:a@x", KeyName: "k", Project: "p"}, "a@x", "a@x   on p"},
		"then subject":              {Entry{PrincipalSubject: "principal://p", KeyName: "k"}, "principal://p", " on "},
		"then key":                  {Entry{KeyName: "k", CallerIP: "192.0.2.1"}, "k", "192.0.2.1 on "},
		"masked":                    {Entry{Principal: "a...b@x", CallerIP: "192.0.2.1", Project: "p"}, "", "a...b@x 192.0.2.1 on p"},
		"then place and project":    {Entry{CallerIP: "192.0.2.1", UserAgent: "curl", Project: "p", Resource: "r"}, "", "192.0.2.1 curl on p"},
		"then place and resource":   {Entry{CallerIP: "192.0.2.1", Resource: "r"}, "", "192.0.2.1 on r"},
		"minting goes by place":     {Entry{CallerIP: "192.0.2.1", UserAgent: "curl", Account: "sa", Service: "iamcredentials.googleapis.com", Method: "SignJwt"}, "", "192.0.2.1 curl"},
		"minting from nowhere":      {Entry{UserAgent: "curl", Account: "sa", Service: "iamcredentials.googleapis.com", Method: "SignBlob"}, "", "curl on sa"},
		"by a long method":          {Entry{CallerIP: "192.0.2.1", Account: "sa", Service: "iamcredentials.googleapis.com", Method: "google.iam.credentials.v1.IAMCredentials.SignJwt"}, "", "192.0.2.1"},
		"another method, no tokens": {Entry{CallerIP: "192.0.2.1", Account: "sa", Service: "iamcredentials.googleapis.com", Method: "Other"}, "", "192.0.2.1 on sa"},
	} {
		c.entry.Audit, c.entry.Code = true, 7
		if got := c.entry.identity(); got != c.identity {
			t.Errorf("%s: identity %q, want %q", name, got, c.identity)
		}
		if got := c.entry.stranger(); c.identity == "" && got != c.else_ {
			t.Errorf("%s: stranger %q, want %q", name, got, c.else_)
		}
		if got, want := c.entry.Subject(), cmp.Or(c.identity, c.else_); got != want {
			t.Errorf("%s: subject %q, want %q", name, got, want)
		}
	}
}

func TestGooglesOwnAreKnown(t *testing.T) {
	for name, want := range map[string]bool{
		"service-123@gcp-sa-scc.iam.gserviceaccount.com":              true,
		"service-123@container-engine-robot.iam.gserviceaccount.com":  true,
		"p927005422713-439672@gcp-sa-logging.iam.gserviceaccount.com": true,
		"123@cloudservices.gserviceaccount.com":                       true,
		"system:serviceaccount:kube-system:replicaset-controller":     true,
		"123-compute@developer.gserviceaccount.com":                   false,
		"service-mesh@prod.iam.gserviceaccount.com":                   false,
		"somebody@example.com":                                        false,
		"service-1234567@attacker.iam.gserviceaccount.com":            false,
		"x@mysystem.gserviceaccount.com":                              false,
		"service-123@cloud-ml.google.com.iam.gserviceaccount.com":     true,
		"security-center-service@system.gserviceaccount.com":          true,
	} {
		if got := (&subject{name: name}).system(); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestStrangersAreBounded(t *testing.T) {
	g := New(Config{Subjects: 1000})
	for i := range 20_000 {
		e := denied("s.things.get", time.Duration(i)*time.Millisecond)
		e.Principal, e.CallerIP = "", fmt.Sprintf("2001:db8::%x", i)
		g.Observe(&e, nil)
	}
	if g.backlog.unnamed > maxBacklog || len(g.store.keys) > 1000 || len(g.waiting.questions) > maxWaiting {
		t.Errorf("%d calls held back, %d subjects, %d questions", g.backlog.unnamed, len(g.store.keys), len(g.waiting.questions))
	}
}

// fromAgents is a log without names, with so many user agents.
func fromAgents(agents int, log []Entry) []Entry {
	log = slices.Clone(log)
	for i := range log {
		log[i].Principal, log[i].CallerIP, log[i].UserAgent = "", "192.0.2.7", fmt.Sprint("curl/", i%agents)
	}
	return log
}

// Whoever changes the user agent with each call is told by the address.
func TestChangingTheUserAgentHidesNobody(t *testing.T) {
	for name, c := range map[string]struct {
		log      []Entry
		detector string
		want     []string
	}{
		"minting":                       {fromAgents(30, mints(30, time.Second)), TokenMinting, []string{"192.0.2.7"}},
		"minting, with one user agent":  {fromAgents(1, mints(30, time.Second)), TokenMinting, []string{"192.0.2.7 curl/0"}},
		"minting, with two":             {fromAgents(2, mints(30, time.Second)), TokenMinting, []string{"192.0.2.7 curl/0", "192.0.2.7 curl/1"}},
		"minting of a few accounts":     {fromAgents(7, mints(7, time.Second)), TokenMinting, nil},
		"a probe":                       {fromAgents(500, probe(500, time.Second)), PermissionProbing, []string{"192.0.2.7 on p"}},
		"a probe with one user agent":   {fromAgents(1, probe(500, time.Second)), PermissionProbing, []string{"192.0.2.7 curl/0 on p"}},
		"an office, denied a few reads": {fromAgents(20, each(40, 0, time.Minute, func(i int, at time.Duration) Entry { return denied(fmt.Sprintf("s.t%d.list", i), at) })), PermissionProbing, nil},
	} {
		var got []string
		for _, f := range of(c.detector, observe(c.log)) {
			if !f.Update {
				got = append(got, f.Subject)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told of %q, want %q", name, got, c.want)
		}
	}
}

// Harmless calls with a name, from the same place, take nothing away from what the
// calls without a name show.
func TestNamedCallsHideNobody(t *testing.T) {
	probing := by("", probe(40, 7*time.Minute))
	for i := range probing {
		probing[i].CallerIP, probing[i].UserAgent = "192.0.2.7", "python-requests/2"
	}
	disguised := slices.Clone(mints(30, 4*time.Minute))
	for i := range disguised {
		disguised[i].UserAgent = fmt.Sprint("python-requests/", i%10)
	}
	for name, log := range map[string][]Entry{
		"minting": mints(6, 80*time.Second), "slow minting": mints(6, 14*time.Minute), "minting in a burst": mints(4, 0),
		"probing": probing, "minting with ever new user agents": disguised,
	} {
		want := gravest(observe(log))
		if len(want) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, 12))
			var harmless []Entry
			for i := range 1 + r.IntN(12) {
				e := at(fmt.Sprint("user", r.IntN(3), "@x"), time.Duration(r.Int64N(int64(3*time.Hour)))-time.Hour)
				e.InsertID = fmt.Sprint("harmless", i)
				harmless = append(harmless, e)
			}
			got := gravest(observe(inOrder(log, harmless)))
			for detector, severity := range want {
				if got[detector].Compare(severity) < 0 {
					t.Errorf("%s, with %d harmless calls (%d): %s is %q, want %q", name, len(harmless), seed, detector, got[detector], severity)
				}
			}
		}
	}
}

// gravest is the highest severity that each detector told.
func gravest(found []Finding) map[string]Severity {
	most := make(map[string]Severity)
	for _, f := range found {
		if before, ok := most[f.Detector]; !ok || f.Severity.Compare(before) > 0 {
			most[f.Detector] = f.Severity
		}
	}
	return most
}

func TestReasonsSayWhoIsNamed(t *testing.T) {
	named := by(robot, mints(2, time.Second))
	for name, c := range map[string]struct {
		log  []Entry
		want string
	}{
		"some":              {inOrder([]Entry{at(robot, -time.Minute)}, named, shift(mints(6, 10*time.Second), time.Minute)), ", by address and user agent: about 6 of 9 calls name nobody"},
		"none, but is near": {append([]Entry{at(robot, -time.Minute)}, mints(4, time.Second)...), ", by address and user agent: 4 of 4 calls name nobody"},
		"nobody is near":    {mints(4, time.Second), ", by address and user agent: 4 of 4 calls name nobody"},
		"ever new agents":   {fromAgents(30, mints(30, time.Second)), ", by address: 30 of 30 calls name nobody"},
		"all":               {by(robot, mints(6, time.Second)), ""},
	} {
		found := of(TokenMinting, observe(c.log))
		if len(found) == 0 {
			t.Errorf("%s: nothing found", name)
			continue
		}
		reason := found[len(found)-1].Reason
		if _, after, _ := strings.Cut(reason, ", by address"); c.want == "" && after != "" || !strings.Contains(reason, c.want) {
			t.Errorf("%s: reason %q lacks %q", name, reason, c.want)
		}
	}
}
