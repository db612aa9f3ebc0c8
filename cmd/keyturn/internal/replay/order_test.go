package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

// entriesAt are entries of these seconds; 0 is no time.
func entriesAt(seconds ...int) []detect.Entry {
	entries := make([]detect.Entry, len(seconds))
	for i, n := range seconds {
		entries[i].InsertID = fmt.Sprint(n)
		if n > 0 {
			entries[i].Time = start.Add(time.Duration(n) * time.Second)
		}
	}
	return entries
}

func TestSequence(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, tt := range []struct {
		name    string
		batches [][]int
		want    []int
	}{
		{"none", nil, nil},
		{"one", [][]int{{1}}, []int{1}},
		{"rising", [][]int{{1, 2}, {3}}, []int{1, 2, 3}},
		{"rising, with late ones", [][]int{{1, 9, 4, 3}, {2, 10}}, []int{1, 9, 4, 3, 2, 10}},
		{"falling at first", [][]int{{5, 4}, {3}, {9}, {10}}, []int{5, 4, 3, 9, 10}},
		{"few that fall", [][]int{{5, 4}, {}, {3}}, []int{3, 4, 5}},
		{"falling", [][]int{{12, 11, 10, 9, 8, 7}, {6, 5, 4, 3}}, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"falling, with one out of order", [][]int{{12, 11, 10, 9, 8, 7, 6, 5, 4}, {6}, {3}}, []int{3, 6, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"without times", [][]int{{0, 0}, {0, 5, 0, 6}, {7}}, []int{0, 0, 0, 5, 0, 6, 7}},
	} {
		var got []int
		s := sequence{observe: func(e *detect.Entry) error {
			n := 0
			_, err := fmt.Sscan(e.InsertID, &n)
			got = append(got, n)
			return err
		}}
		for _, batch := range tt.batches {
			if err := s.add(t.Context(), entriesAt(batch...)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.close()
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A process that is killed leaves no file of what it held back.
func TestHeldBackFileHasNoName(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var s sequence
	defer s.close()
	if err := s.add(t.Context(), entriesAt(2, 1)); err != nil || s.file == nil {
		t.Fatalf("nothing is held back: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
}

func TestSequenceThatCannotGoOn(t *testing.T) {
	failed := errors.New("no")
	s := sequence{observe: func(*detect.Entry) error { return failed }}
	defer s.close()
	if err := s.add(t.Context(), entriesAt(1, 2)); !errors.Is(err, failed) {
		t.Errorf("rising: %v", err)
	}
	s = sequence{observe: func(*detect.Entry) error { return failed }}
	defer s.close()
	if err := errors.Join(s.add(t.Context(), entriesAt(2, 1))); err != nil {
		t.Fatal(err)
	}
	if err := s.flush(t.Context()); !errors.Is(err, failed) {
		t.Errorf("held back: %v", err)
	}
	if err := s.add(t.Context(), entriesAt(3)); !errors.Is(err, failed) {
		t.Errorf("held back until there were newer ones: %v", err)
	}
	s = sequence{observe: func(*detect.Entry) error { return nil }}
	defer s.close()
	if err := s.add(t.Context(), entriesAt(2, 1)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := s.file.Truncate(1); err != nil {
		t.Fatal(err)
	}
	if err := s.flush(t.Context()); !errors.Is(err, ErrOutput) {
		t.Errorf("a file that was cut off: %v", err)
	}
	s.file.Close()
	if err := s.add(t.Context(), entriesAt(0)); !errors.Is(err, ErrOutput) {
		t.Errorf("a file that was closed: %v", err)
	}
	t.Setenv("TMPDIR", "/nowhere/at/all")
	none := sequence{}
	if err := none.add(t.Context(), entriesAt(2, 1)); !errors.Is(err, ErrOutput) {
		t.Errorf("no directory: %v", err)
	}
}
