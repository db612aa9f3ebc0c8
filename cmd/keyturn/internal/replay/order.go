package replay

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event/logfile"
)

// oldestFirst returns files in the order of their first entries, as those of
// several logs come one log after the other. What cannot be read twice, such as
// standard input, leaves all in the order in which they were named.
func oldestFirst(ctx context.Context, files []string) []string {
	begins := make(map[string]time.Time, len(files))
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return files
		}
		begins[name] = beginOf(ctx, name)
	}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b string) int { return begins[a].Compare(begins[b]) })
	return files
}

// beginOf is the time of the first entries of a file; zero when there is none:
// what is wrong with the file is told when it is replayed.
func beginOf(ctx context.Context, name string) time.Time {
	in, err := open(ctx, name, logfile.Config{Block: 64 << 10, Workers: 1})
	if err != nil {
		return time.Time{}
	}
	defer in.Close() // it was only read
	var begin time.Time
	_ = logfile.Each(ctx, in, func(b *logfile.Batch) error {
		for _, e := range b.Entries {
			if begin.IsZero() || !e.Time.IsZero() && e.Time.Before(begin) {
				begin = e.Time
			}
		}
		return io.EOF // the beginning is enough
	})
	return begin
}

// sequence passes the entries of one file on from the oldest to the newest. What
// gcloud writes begins with the newest unless told otherwise: such entries are
// held back, on disk, until the last of them has come.
type sequence struct {
	observe func(*detect.Entry) error
	order   order
	last    time.Time
	falls   int      // how often an entry was older than the one before
	file    *os.File // of what is held back; nil when nothing is
	ends    []int64  // of each batch in file
}

type order int

const (
	unknown order = iota
	rising
	falling
)

// enough falls, and no rise before, do not come about by entries that are late.
const enough = 8

// add takes the next entries of the file.
func (s *sequence) add(ctx context.Context, entries []detect.Entry) error {
	for i := range entries {
		if s.order != unknown {
			break
		}
		s.look(entries[i].Time)
	}
	if s.order != rising {
		return s.hold(entries)
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	return s.each(entries)
}

// look goes by one entry's time.
func (s *sequence) look(t time.Time) {
	switch {
	case t.IsZero():
		return
	case s.last.IsZero():
	case t.After(s.last):
		s.order = rising
	case t.Before(s.last):
		if s.falls++; s.falls == enough {
			s.order = falling
		}
	}
	s.last = t
}

func (s *sequence) each(entries []detect.Entry) error {
	for i := range entries {
		if err := s.observe(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sequence) hold(entries []detect.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "keyturn-replay-*")
		if err == nil {
			err = os.Remove(f.Name()) // it needs none: however the process ends, nothing is left
		}
		if err != nil {
			return holdError(err)
		}
		s.file = f
	}
	if err := gob.NewEncoder(s.file).Encode(entries); err != nil {
		return holdError(err)
	}
	end, err := s.file.Seek(0, io.SeekCurrent)
	s.ends = append(s.ends, end)
	return holdError(err)
}

// flush passes on what is held back: from its end, unless it is known to rise.
func (s *sequence) flush(ctx context.Context) error {
	begin := append([]int64{0}, s.ends...)
	for n := range s.ends {
		i := n
		if s.order != rising {
			i = len(s.ends) - 1 - n
		}
		var entries []detect.Entry
		part := io.NewSectionReader(s.file, begin[i], begin[i+1]-begin[i])
		if err := gob.NewDecoder(part).Decode(&entries); err != nil {
			return holdError(err)
		}
		if s.order != rising {
			slices.Reverse(entries)
		}
		if err := errors.Join(s.each(entries), ctx.Err()); err != nil {
			return err
		}
	}
	s.ends = nil
	return nil
}

// close forgets what is held back.
func (s *sequence) close() {
	if s.file != nil {
		_ = s.file.Close() // it is not wanted any more
	}
}

func holdError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("holding back entries until older ones have come, in the directory for temporary files: %w", errors.Join(err, ErrOutput))
}
