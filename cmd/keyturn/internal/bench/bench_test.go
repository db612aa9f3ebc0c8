package bench

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/rotation"
)

// silent is a progress that nobody watches.
type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Advance(int)       {}

func testBed(t *testing.T) *bed {
	t.Helper()
	b, err := newBed(t.Context(), nil)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fleet is credentials of every kind and mode.
func fleet(t *testing.T, b *bed, n int) []*credential {
	t.Helper()
	all, err := b.newFleet(t.Context(), n)
	must(t, err)
	return all
}

func TestAFleetHasEveryKindAndMode(t *testing.T) {
	b := testBed(t)
	seen := map[string]int{}
	all := fleet(t, b, 6)
	for _, c := range all {
		seen[string(c.kind)+" "+string(c.mode)]++
		for _, version := range []string{"latest", rotation.AliasCurrent} {
			if err := (&consumer{bed: b, cred: c, version: version}).request(t.Context()); err != nil {
				t.Errorf("%s of %s: %v", version, c.secret, err)
			}
		}
	}
	if seen["service-account-key upload"] != 2 || seen["service-account-key create"] != 2 || seen["api-key "] != 2 {
		t.Errorf("made %v", seen)
	}
	if !slices.IsSortedFunc(all, func(a, b *credential) int { return a.due.Compare(b.due) }) || !all[5].due.After(all[0].due) {
		t.Error("they do not fall due one after the other")
	}
}

// TestConsumersDoNotReadAgainBecauseARequestFailed hands out a dead key and then
// a good one: the consumer goes on with the dead one until it would read anyway.
func TestConsumersDoNotReadAgainBecauseARequestFailed(t *testing.T) {
	for _, kind := range []int{0, 2} {
		b := testBed(t)
		cred := fleet(t, b, 3)[kind]
		must(t, b.remove(t.Context(), cred, cred.first.name))
		b.clock.Advance(2 * keyLag)
		c := &consumer{bed: b, cred: cred, version: "latest", keep: time.Hour}
		c.count(t.Context(), c.request(t.Context()))
		good, err := b.create(t.Context(), cred, "second")
		must(t, err)
		must(t, b.store(t.Context(), cred, good.payload))
		b.clock.Advance(20 * time.Minute)
		c.count(t.Context(), c.request(t.Context()))
		if c.requests != 2 || c.failed != 2 || c.outage != 20*time.Minute {
			t.Errorf("%s: %d of %d requests failed, for %v; want both", cred.kind, c.failed, c.requests, c.outage)
		}
		b.clock.Advance(time.Hour)
		c.count(t.Context(), c.request(t.Context()))
		if c.requests != 3 || c.failed != 2 || !c.down.IsZero() {
			t.Errorf("%s: %d of %d requests failed after the secret was read again", cred.kind, c.failed, c.requests)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		c.count(gone, errors.New("cut off"))
		if c.requests != 3 {
			t.Error("a request that the end cut off counts")
		}
	}
}

func TestConsumersThatFallBehind(t *testing.T) {
	b := testBed(t)
	all := b.newCrowd(fleet(t, b, 1))
	if len(all) != 2 || all.behind(b.clock.Now()) {
		t.Fatalf("%d consumers, behind at once", len(all))
	}
	b.clock.Advance(2 * keepMost)
	if !all.behind(b.clock.Now()) {
		t.Error("nobody is behind")
	}
	for _, c := range all {
		must(t, c.request(t.Context()))
	}
	if all.behind(b.clock.Now()) {
		t.Error("somebody is behind although all have read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&drive{bed: b, crowd: all}).keepUp(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestPeersDeleteWhatTheyAreSaidTo runs each way to retire keys through two
// rotations, with a rollback between them.
func TestPeersDeleteWhatTheyAreSaidTo(t *testing.T) {
	for name, tt := range map[string]struct {
		retire func(context.Context, *bed, *holding, bool) error
		alive  [4]int // keys after a rotation, after the overlap, after a rollback and the overlap, after another rotation
	}{
		"at once": {deleteAtOnce, [4]int{1, 1, 1, 1}},
		"at next": {deleteAtNext, [4]int{2, 2, 2, 2}},
		"by age":  {deleteByAge, [4]int{2, 1, 0, 1}}, // the rollback's key among them
	} {
		t.Run(name, func(t *testing.T) {
			b := testBed(t)
			cred := fleet(t, b, 1)[0]
			s, err := newPeer(tt.retire)(t.Context(), b, []*credential{cred})
			must(t, err)
			var alive [4]int
			after := func(i int, wait time.Duration) {
				b.clock.Advance(wait)
				must(t, s.tick(t.Context()))
				b.clock.Advance(2 * keyLag)
				keys, err := b.existing(t.Context(), []*credential{cred})
				must(t, err)
				alive[i] = len(keys)
			}
			after(0, 0)
			after(1, overlap)
			held := s.(*peer).held[0]
			must(t, b.store(t.Context(), cred, held.keys[len(held.keys)-1].payload))
			after(2, overlap)
			after(3, period)
			if alive != tt.alive {
				t.Errorf("keys alive: %v, want %v", alive, tt.alive)
			}
			must(t, s.close())
		})
	}
}

func TestPeersSayWhatWentWrong(t *testing.T) {
	b := testBed(t)
	cred := fleet(t, b, 3)[2]
	h := &holding{credential: cred}
	if _, err := h.nameOf([]byte("nobody's")); err == nil || strings.Contains(err.Error(), "nobody's") {
		t.Errorf("a strange API key: %v", err)
	}
	if _, err := (&holding{credential: &credential{kind: rotation.ServiceAccountKey}}).nameOf([]byte("{}")); err == nil {
		t.Error("a payload that is no key file has a name")
	}
	s, err := newPeer(deleteAtOnce)(t.Context(), b, []*credential{cred})
	must(t, err)
	b.clock.Advance(period)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.tick(gone); err == nil || !strings.Contains(err.Error(), cred.secret) {
		t.Errorf("error %v", err)
	}
}

// TestRollbacksByHand brings a key back that works, and none that does not.
func TestRollbacksByHand(t *testing.T) {
	b := testBed(t)
	cred := fleet(t, b, 1)[0]
	d := &drive{bed: b}
	must(t, d.rollBack(t.Context(), cred))
	v, err := b.secrets.AccessSecretVersion(t.Context(), &secretmanagerpb.AccessSecretVersionRequest{Name: cred.secret + "/versions/2"})
	if err != nil || string(v.GetPayload().GetData()) != string(cred.first.payload) {
		t.Errorf("the old payload was not added again: %v", err)
	}
	must(t, b.remove(t.Context(), cred, cred.first.name))
	b.clock.Advance(2 * keyLag)
	if must(t, d.rollBack(t.Context(), cred)); d.rollbacks != 1 {
		t.Errorf("%d rollbacks, want 1", d.rollbacks)
	}
}

// TestAContenderThatFailsConsumersIsAnError puts a peer into keyturn's place.
func TestAContenderThatFailsConsumersIsAnError(t *testing.T) {
	t.Parallel()
	c := DowntimeConfig{Credentials: 3, Rotations: 1, Progress: silent{}}
	r, err := c.compare(t.Context(), []contender{{"delete at once", "a test", newPeer(deleteAtOnce)}})
	if !errors.Is(err, ErrDowntime) || len(r.Strategies) != 1 || r.Strategies[0].Failed == 0 || r.Strategies[0].Retired < 3 || r.Strategies[0].LongestOutage() < 5*time.Minute {
		t.Errorf("%+v, error %v", r, err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
}

func TestMeasurementsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Downtime(ctx, DowntimeConfig{Credentials: 1, Rotations: 1, Progress: silent{}}); err == nil || !strings.Contains(err.Error(), "keyturn: ") {
		t.Errorf("downtime: %v", err)
	}
	if _, err := Rotate(ctx, RotateConfig{Credentials: 1, Sample: 1, Instances: 1, Progress: silent{}}); err == nil || !strings.Contains(err.Error(), "one after another") {
		t.Errorf("rotate: %v", err)
	}
}

func TestTheWireCountsAndDelays(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	w := newWire(5 * time.Millisecond)
	began := time.Now()
	w.enter("a")
	client := &http.Client{Transport: w}
	for range 2 {
		resp, err := client.Get(server.URL)
		must(t, err)
		resp.Body.Close()
	}
	if took := time.Since(began); took < 10*time.Millisecond || w.calls["a"] != 2 || w.total() != 2 {
		t.Errorf("%v for calls %v", took, w.calls)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w.latency = time.Hour
	if err := w.unary(gone, "/google.iam.admin.v1.IAM/GetServiceAccountKey", nil, nil, nil, nil); !errors.Is(err, context.Canceled) || w.drawn["IAM reads"] != 1 {
		t.Errorf("error %v, drawn %v", err, w.drawn)
	}
}

func TestQuotas(t *testing.T) {
	for method, want := range map[string]string{
		"/google.iam.admin.v1.IAM/ListServiceAccountKeys":                         "IAM reads",
		"/google.iam.admin.v1.IAM/UploadServiceAccountKey":                        "IAM writes",
		"/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion": "Secret Manager accesses",
		"/google.cloud.secretmanager.v1.SecretManagerService/GetSecret":           "Secret Manager reads",
		"/google.cloud.secretmanager.v1.SecretManagerService/UpdateSecret":        "Secret Manager writes",
		"/google.pubsub.v1.Publisher/Publish":                                     "",
		"":                                                                        "",
	} {
		if got := quotaOf(method); got != want || want != "" && halves[want] == 0 {
			t.Errorf("%s draws on %q, want %q", method, got, want)
		}
	}
	l := &life{wire: newWire(0), n: 10, took: time.Minute}
	l.wire.drawn["IAM reads"] = 3000
	l.wire.drawn["Secret Manager writes"] = 50 + 300 // the burst, and a minute
	var r RotateResult
	if r.noteQuotas(l); r.Quota != "Secret Manager writes" || math.Abs(r.CeilingPerMin-10) > 1e-9 || r.AtQuotaPerMin != 10 {
		t.Errorf("%+v", r)
	}
	r = RotateResult{}
	if r.noteQuotas(&life{wire: newWire(0), n: 1, took: time.Minute}); r.Quota != "" || r.CeilingPerMin != 0 {
		t.Errorf("nothing was drawn, and %+v", r)
	}
}

func TestUsage(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this system does not tell what a program uses")
	}
	if got := peakMB(); got < 1 || got > 10_000 {
		t.Errorf("this program has had %.1f MB", got)
	}
	before, began := cpuSeconds(), time.Now()
	for time.Since(began) < 100*time.Millisecond {
	}
	if used := cpuSeconds() - before; used < 0.01 || used > 10 {
		t.Errorf("100 ms of work took %.2f CPU seconds", used)
	}
}
