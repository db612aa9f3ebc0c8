package alerting

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	var b Breaker
	for range 2 {
		b.Record(false, noon)
	}
	if b.Wait(noon) != 0 {
		t.Fatal("opened after two failures")
	}
	b.Record(false, noon)
	if got := b.Wait(noon.Add(5 * time.Second)); got != 10*time.Second {
		t.Errorf("waits for %v, want the rest of 15 s", got)
	}
	at := noon.Add(15 * time.Second)
	if b.Wait(at) != 0 || b.Wait(at) == 0 {
		t.Error("lets through none, or more than one")
	}
	b.Record(false, at)
	if got := b.Wait(at); got != 30*time.Second {
		t.Errorf("waits for %v after another failure, want 30 s", got)
	}
	for range 50 {
		b.Record(false, at)
	}
	if got := b.Wait(at); got != 5*time.Minute {
		t.Errorf("waits for %v after many, want 5 min", got)
	}
	if b.Record(true, at); b.Wait(at) != 0 {
		t.Error("is open after a success")
	}
}
