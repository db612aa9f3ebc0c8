package queue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

const lease = 10 * time.Second

// Each script is a story of one queue, a step a line. Messages are named by
// their id, with the ordering key behind a slash:
//
//	add a/k b      take 2 -> a#1 b#1  (id#attempt)     ack a, nack a, extend a 60
//	at 12          (seconds since the start)           ack a old (by its first ack id)
//	len 2          dead -> a#5                         next 10, next none
var scripts = []struct {
	name   string
	cfg    Config
	script string
}{
	{"acknowledged messages are forgotten", Config{}, `
		add a b c; take 2 -> a#1 b#1; len 3; ack a; len 2; ack a; take 5 -> c#1; ack b; ack c; len 0; next none`},
	{"a lease that ends brings the message back", Config{}, `
		add a; take 1 -> a#1; next 10; take 1 ->; at 9.9; take 1 ->; at 10; take 1 -> a#2; at 20; take 1 -> a#3`},
	{"a nack brings the message back at once and in its old place", Config{}, `
		add a b; take 1 -> a#1; nack a; take 2 -> a#2 b#1`},
	{"an extension moves the end of the lease", Config{}, `
		add a; take 1 -> a#1; extend a 60; at 59; take 1 ->; extend a 1; at 60; take 1 -> a#2`},
	{"a late acknowledgement counts", Config{}, `
		add a b; take 2 -> a#1 b#1; at 10; ack a; len 1; take 5 -> b#2; ack b old; len 0`},
	{"a late nack or extension does nothing", Config{}, `
		add a; take 1 -> a#1; at 10; take 1 -> a#2; nack a old; extend a 60 old; take 1 ->; at 20; take 1 -> a#3`},
	{"exactly once: a late acknowledgement is an error", Config{ExactlyOnce: true}, `
		add a; take 1 -> a#1; at 10; ack a expired; nack a expired; take 1 -> a#2; ack a old expired; ack a; ack a expired; len 0`},
	{"back-off doubles up to its maximum, after nacks and expiry alike", Config{MinBackoff: time.Second, MaxBackoff: 3 * time.Second}, `
		add a b; take 1 -> a#1; nack a; take 5 -> b#1; ack b; next 1
		at 1; take 1 -> a#2; at 11; next 13; take 1 ->; at 13; take 1 -> a#3; nack a; next 16; at 16; take 1 -> a#4; nack a; next 19`},
	{"a message in back-off can still be acknowledged", Config{MinBackoff: time.Second, MaxBackoff: time.Second}, `
		add a; take 1 -> a#1; nack a; ack a; len 0; next none`},
	{"a message that fails too often is dead", Config{MaxAttempts: 2}, `
		add a b; take 1 -> a#1; nack a; dead ->; take 1 -> a#2; at 10; len 1; dead -> a#2; dead ->; take 5 -> b#1`},
	{"without ordering, keys do not matter", Config{}, `
		add a/k b/k; take 1 -> a#1; take 1 -> b#1`},
	{"one batch of a key at a time", Config{Ordered: true}, `
		add a/k b/k c/k x/other y; take 2 -> a#1 b#1; take 5 -> x#1 y#1; ack a; take 5 ->; ack b; take 5 -> c#1; add d/k; take 5 ->; ack c; take 5 -> d#1`},
	{"redelivery of one brings the later ones again", Config{Ordered: true}, `
		add a/k b/k c/k; take 3 -> a#1 b#1 c#1; nack b; take 5 ->; ack a; take 5 -> b#2 c#1`},
	{"a batch acknowledged out of order", Config{Ordered: true}, `
		add a/k b/k c/k; take 3 -> a#1 b#1 c#1; ack b; ack c; take 5 ->; at 10; take 5 -> a#2; ack a; len 0; add d/k; take 5 -> d#1`},
	{"back-off of one holds its key only", Config{Ordered: true, MinBackoff: time.Second, MaxBackoff: time.Second}, `
		add a/k b/k c/l; take 1 -> a#1; nack a; take 5 -> c#1; at 1; take 5 -> a#2 b#1`},
	{"a dead message lets its key go on", Config{Ordered: true, MaxAttempts: 1}, `
		add a/k b/k c/k; take 2 -> a#1 b#1; nack a; dead -> a#1; take 5 -> b#1 c#1`},
	{"a waiting message of a key can be acknowledged late", Config{Ordered: true}, `
		add a/k b/k c/k; take 3 -> a#1 b#1 c#1; nack a; ack b; take 5 -> a#2 c#1`},
}

func TestScripts(t *testing.T) {
	for _, tc := range scripts {
		t.Run(tc.name, func(t *testing.T) {
			s := &story{T: t, q: New(tc.cfg), acks: map[string][]string{}}
			for step := range strings.FieldsFuncSeq(tc.script, func(r rune) bool { return r == ';' || r == '\n' }) {
				if step = strings.TrimSpace(step); step != "" {
					s.do(step)
				}
			}
		})
	}
}

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

type story struct {
	*testing.T
	q    *Queue
	now  time.Duration
	acks map[string][]string // by message id: its ack ids
}

func (s *story) do(step string) {
	s.Helper()
	verb, rest, _ := strings.Cut(step, " ")
	args, want, _ := strings.Cut(rest, "->")
	f := strings.Fields(args)
	now := start.Add(s.now)
	switch verb {
	case "add":
		for _, name := range f {
			id, key, _ := strings.Cut(name, "/")
			s.q.Add(now, &pubsubpb.PubsubMessage{MessageId: id, OrderingKey: key})
		}
	case "take":
		max, _ := strconv.Atoi(f[0])
		s.equal(step, s.names(s.q.Take(now, nil, lease, max, 0)), strings.TrimSpace(want))
	case "dead":
		s.q.Tick(now)
		s.equal(step, s.names(s.q.Dead()), strings.TrimSpace(want))
	case "ack":
		s.settled(step, f, s.q.Ack(now, s.ackID(f)))
	case "nack":
		s.settled(step, f, s.q.Modify(now, s.ackID(f), 0))
	case "extend":
		s.settled(step, f, s.q.Modify(now, s.ackID(f), seconds(f[1])))
	case "at":
		s.now = seconds(f[0])
		s.q.Tick(start.Add(s.now))
	case "len":
		s.equal(step, fmt.Sprint(s.q.Len()), f[0])
	case "next":
		got := "none"
		if at, ok := s.q.Next(); ok {
			got = fmt.Sprint(at.Sub(start).Seconds())
		}
		s.equal(step, got, f[0])
	default:
		s.Fatalf("no such step: %s", step)
	}
}

func (s *story) names(ds []Delivery) string {
	var names []string
	for _, d := range ds {
		id := d.Message.MessageId
		s.acks[id] = append(s.acks[id], d.AckID)
		names = append(names, fmt.Sprintf("%s#%d", id, d.Attempt))
	}
	return strings.Join(names, " ")
}

func (s *story) ackID(f []string) string {
	ids := s.acks[f[0]]
	for _, word := range f {
		if word == "old" {
			return ids[0]
		}
	}
	return ids[len(ids)-1]
}

func (s *story) settled(step string, f []string, err error) {
	s.Helper()
	var want error
	if f[len(f)-1] == "expired" {
		want = ErrExpired
	}
	if !errors.Is(err, want) {
		s.Fatalf("%s: %v, want %v", step, err, want)
	}
}

func (s *story) equal(step, got, want string) {
	s.Helper()
	if got != want {
		s.Fatalf("%s: got %q, want %q", step, got, want)
	}
}

func seconds(s string) time.Duration {
	n, _ := strconv.ParseFloat(s, 64)
	return time.Duration(n * float64(time.Second))
}

func TestMalformedAckIDs(t *testing.T) {
	q := New(Config{})
	for _, id := range []string{"", "1", "1:", "1:x", ":", "1:-1"} {
		if err := q.Ack(start, id); !errors.Is(err, ErrMalformed) {
			t.Errorf("Ack(%q): %v", id, err)
		}
		if err := q.Modify(start, id, 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("Modify(%q): %v", id, err)
		}
	}
}

func TestHolderBoundsWhatItHolds(t *testing.T) {
	q := New(Config{})
	for i := range 6 {
		q.Add(start, &pubsubpb.PubsubMessage{MessageId: strconv.Itoa(i), Data: make([]byte, 100)})
	}
	h := &Holder{MaxMessages: 2}
	first := q.Take(start, h, lease, 10, 0)
	if len(first) != 2 || len(q.Take(start, h, lease, 10, 0)) != 0 {
		t.Fatalf("a holder of two messages got %d", len(first))
	}
	if err := q.Ack(start, first[0].AckID); err != nil {
		t.Fatal(err)
	}
	if err := q.Modify(start, first[1].AckID, 0); err != nil {
		t.Fatal(err)
	}
	if got := len(q.Take(start, h, lease, 10, 0)); got != 2 {
		t.Errorf("a holder that settled two got %d new ones", got)
	}
	if got := len(q.Take(start, &Holder{MaxBytes: 101}, lease, 10, 0)); got != 1 {
		t.Errorf("a holder of 101 bytes got %d messages of over 100", got)
	}
	if got := len(q.Take(start.Add(lease), h, lease, 10, 150)); got != 2 {
		t.Errorf("a batch of 150 bytes holds %d messages of over 100", got)
	}
}

func TestConfigureChangesTheRules(t *testing.T) {
	q := New(Config{Ordered: true})
	q.Add(start, &pubsubpb.PubsubMessage{MessageId: "a"})
	q.Configure(Config{MaxAttempts: 1})
	d := q.Take(start, nil, lease, 1, 0)
	if err := q.Modify(start, d[0].AckID, 0); err != nil || len(q.Dead()) != 1 || !q.cfg.Ordered {
		t.Errorf("after Configure: %v, %+v", err, q.cfg)
	}
}

func FuzzAckID(f *testing.F) {
	f.Add("a:1")
	f.Add("a:18446744073709551616")
	f.Add(":")
	f.Fuzz(func(t *testing.T, id string) {
		for _, once := range []bool{false, true} {
			q := New(Config{ExactlyOnce: once})
			q.Add(start, &pubsubpb.PubsubMessage{MessageId: "a"})
			real := q.Take(start, nil, lease, 1, 0)[0].AckID
			if err := q.Modify(start, id, lease); (id == real) != (err == nil) && once {
				t.Errorf("extending %q: %v", id, err)
			}
			if err := q.Ack(start, id); id == real && (err != nil || q.Len() != 0) {
				t.Errorf("acknowledging %q: %v, %d messages left", id, err, q.Len())
			}
		}
	})
}
