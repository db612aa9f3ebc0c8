package alert

import (
	"bytes"
	"fmt"
	"testing"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
)

// What another instance has made of an incident counts, and what it was is no more.
func TestInstancesGoOnFromEachOther(t *testing.T) {
	e := newEnv(t)
	other := New(Config{Publisher: e.f.config.Publisher, Channels: []Channel{e.mail, e.chat}, Store: e.f.store, Now: e.clock.Now, Wall: e.clock.Now})
	for i := range 10 {
		out, err := found(fmt.Sprint("f", i/2), detect.High, 8)
		must(t, err)
		must(t, []*Function{e.f, other}[i%2].HandleEvent(t.Context(), pushed(out)))
	}
	if in := e.one(`{"command":"show","incident":"` + e.mail.got[0].Incident + `"}`); in.Findings != 5 || len(e.mail.got) != 1 {
		t.Errorf("%d findings, told %d times; want 5 and 1", in.Findings, len(e.mail.got))
	}
}

func TestAnIncidentIsTakenOnce(t *testing.T) {
	var l latest
	l.keep("a", written{[]byte("data"), alerting.Incident{Findings: 1}})
	if in, ok := l.take("a", []byte("data")); !ok || in.Findings != 1 {
		t.Errorf("took %+v, %v", in, ok)
	}
	if _, ok := l.take("a", []byte("data")); ok {
		t.Error("took it twice")
	}
	l.keep("a", written{[]byte("data"), alerting.Incident{Findings: 1}})
	if _, ok := l.take("a", []byte("another's")); ok {
		t.Error("took what another instance has changed since")
	}
	if _, ok := l.take("none", nil); ok {
		t.Error("took an incident of which there is no document")
	}
}

func TestWhatIsKeptDecodedIsBounded(t *testing.T) {
	var l latest
	for i := range 10 * mostLatest {
		l.keep(fmt.Sprint(i), written{data: []byte("data")})
	}
	if len(l.written) != mostLatest {
		t.Errorf("%d incidents are kept, want %d", len(l.written), mostLatest)
	}
	large := bytes.Repeat([]byte("x"), latestLargest+1)
	l.keep("large", written{data: large})
	if _, ok := l.take("large", large); ok {
		t.Error("a large incident is kept")
	}
}
