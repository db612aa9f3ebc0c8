package rotate

import (
	"bytes"
	"slices"
	"testing"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// spied keeps what a turn held of private halves.
type spied struct {
	*accountKeys
	held *[][]byte
}

func (s spied) forget() {
	*s.held = append(*s.held, s.accountKeys.held...)
	s.accountKeys.forget()
}

// TestPrivateHalvesAreWiped at the end of each turn that makes, uploads, tries and
// publishes a key, and the key works all the same.
func TestPrivateHalvesAreWiped(t *testing.T) {
	for _, mode := range []rotation.KeyMode{rotation.Upload, rotation.Create} {
		e := newEnv(t)
		secret, _ := e.account("wiped", mode)
		var held [][]byte
		after := 0
		turn := func() {
			w, err := e.f.observe(e.ctx, event.Command{Verb: event.Rotate, Secret: secret, After: &after})
			must(t, err)
			own := w.keys.(*accountKeys)
			w.keys = spied{own, &held}
			w.rounds(e.ctx, rotation.Intent{Rotate: true, After: 0})
			if len(own.held) == 0 || slices.ContainsFunc(own.held, func(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }) {
				t.Errorf("%s: held %d, or wiped too early", mode, len(own.held))
			}
			w.keys.forget()
			must(t, w.letGo(e.ctx))
		}
		turn()
		e.clock.Advance(lag)
		turn()
		if len(held) < 3 {
			t.Errorf("%s: %d private halves were seen", mode, len(held))
		}
		for _, b := range held {
			if len(b) == 0 || len(bytes.Trim(b, "\x00")) > 0 {
				t.Errorf("%s: %d bytes are not wiped", mode, len(b))
			}
		}
		e.works(secret, "current")
	}
	text := make([]byte, 4, 8)
	copy(text[:8], "a secret")
	wipe(text, nil)
	if string(text[:8]) != "\x00\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("left %q", text[:8])
	}
}
