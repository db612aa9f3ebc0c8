package random_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"example.com/keyturn/internal/localgcp/random"
)

// draw takes one of everything.
func draw(s *random.Source) string {
	return strings.Join([]string{string(s.Bytes(3)), s.Hex(20), s.Text(20), s.UUID()}, " ")
}

func TestASeedRepeatsItself(t *testing.T) {
	seeded := func(seed byte) *random.Source { return random.New(rand.NewChaCha8([32]byte{seed})) }
	first, second := seeded(1), seeded(1)
	if a, b := draw(first), draw(second); a != b {
		t.Errorf("%q and %q of one seed", a, b)
	}
	if a, b := draw(first), draw(second); a != b {
		t.Errorf("%q and %q, later", a, b)
	}
	if a, b := draw(seeded(1)), draw(seeded(2)); a == b {
		t.Errorf("%q of two seeds", a)
	}
}

func TestNilIsNeverTheSame(t *testing.T) {
	var none *random.Source
	if none != random.New(nil) {
		t.Error("nil is no nil Source")
	}
	if a, b := draw(none), draw(none); a == b {
		t.Errorf("%q twice", a)
	}
}

func TestForms(t *testing.T) {
	s := random.New(rand.NewChaCha8([32]byte{}))
	for pattern, got := range map[string]string{
		`^[0-9a-f]{40}$`: s.Hex(20),
		`^[a-z2-7]{20}$`: s.Text(20),
		`^[a-z2-7]{26}$`: s.Text(26),
		`^(?s:.{7})$`:    strings.Repeat("x", len(s.Bytes(7))),
		`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`: s.UUID(),
	} {
		if !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%q does not match %s", got, pattern)
		}
	}
}

func TestReaderThatEndsPanics(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"ends":  bytes.NewReader(make([]byte, 5)),
		"fails": iotest.ErrReader(io.ErrClosedPipe),
	} {
		func() {
			defer func() {
				if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), "give a reader that does not end") {
					t.Errorf("a reader that %s: %v", name, err)
				}
			}()
			random.New(r).Hex(20)
		}()
	}
}

// A reader of a byte at a time fills an id all the same, and no byte goes to two.
func TestConcurrentReadersShareNoBytes(t *testing.T) {
	s := random.New(iotest.OneByteReader(rand.NewChaCha8([32]byte{7})))
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			id := s.Hex(20)
			mu.Lock()
			defer mu.Unlock()
			if seen[id] {
				t.Errorf("%s was handed out twice", id)
			}
			seen[id] = true
		})
	}
	all.Wait()
}
