package survey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.com/keyturn/shared/atomicfile"
	"example.com/keyturn/shared/inventory"
)

// checkpoint is what an interrupted survey leaves. It holds what the snapshot
// does: no secret material.
type checkpoint struct {
	Format   int                `json:"v"`
	Listed   bool               `json:"listed"`   // the projects are known
	Projects []string           `json:"projects"` // ids of those that were read
	Accounts []string           `json:"accounts"` // e-mail addresses of those whose keys were read
	Snapshot inventory.Snapshot `json:"snapshot"`

	projects, accounts map[string]bool // as it was loaded
}

const (
	checkpointFormat = 1
	// saveEvery is how much work is lost at most.
	saveEvery = 2 * time.Second
	// stale is when what was read is too old to go on with.
	stale = 24 * time.Hour
)

func (c *checkpoint) project(id string) bool    { return c.projects[id] }
func (c *checkpoint) account(email string) bool { return c.accounts[email] }

// errOther means that a checkpoint is not of this survey.
var errOther = errors.New("it is of another scope, or of keyturn in another project")

// decode reads a checkpoint strictly.
func decode(data []byte) (checkpoint, error) {
	var c checkpoint
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return checkpoint{}, errors.New("it is cut off")
	} else if err != nil {
		return checkpoint{}, fmt.Errorf("it is damaged: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return checkpoint{}, errors.New("it is damaged: more follows its end")
	}
	if c.Format != checkpointFormat {
		return checkpoint{}, fmt.Errorf("its format %d is not the one that this keyturn knows (%d)", c.Format, checkpointFormat)
	}
	if !c.complete() {
		return checkpoint{}, errors.New("it is damaged: it lacks projects that it says were read")
	}
	c.projects, c.accounts = setOf(c.Projects), setOf(c.Accounts)
	return c, nil
}

// complete reports whether a checkpoint has all the projects that it says were listed
// or read: one that lacks them would make an inventory of nothing.
func (c checkpoint) complete() bool {
	have := map[string]bool{}
	for _, p := range c.Snapshot.Projects {
		have[p.ID] = true
	}
	lost := slices.ContainsFunc(c.Projects, func(id string) bool { return !have[id] })
	return !lost && (!c.Listed || len(have) > 0 || len(c.Snapshot.Gaps) > 0)
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// begin takes up the checkpoint, if there is one that is not too old.
func (c Config) begin() (*survey, error) {
	if err := CheckScope(c.Scope); err != nil {
		return nil, err
	}
	now := c.Now().UTC()
	s := &survey{Config: c, saved: time.Now(), state: checkpoint{
		Format: checkpointFormat, Snapshot: inventory.Snapshot{At: now, Scope: c.Scope, Home: c.Home},
	}}
	if c.Checkpoint == "" {
		return s, nil
	}
	data, err := os.ReadFile(c.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.save() // where it cannot be written is known before anything is read
	}
	if err != nil {
		return nil, fmt.Errorf("reading what an interrupted inventory left: %w", err)
	}
	left, err := decode(data)
	if err == nil && (left.Snapshot.Scope != c.Scope || left.Snapshot.Home != c.Home) {
		err = errOther
	}
	if err != nil {
		return nil, fmt.Errorf("reading what an interrupted inventory left in %s: %w; delete the file to begin anew, or give another by --resume", c.Checkpoint, err)
	}
	if age := now.Sub(left.Snapshot.At); age >= 0 && age < stale {
		s.state = left
	}
	return s, nil
}

// save replaces the file at once, so that whoever dies meanwhile leaves a whole one.
func (s *survey) save() error {
	if s.Checkpoint == "" {
		return nil
	}
	s.saved = time.Now()
	data, err := json.Marshal(s.state)
	err = errors.Join(err, os.MkdirAll(filepath.Dir(s.Checkpoint), 0o700))
	if err == nil {
		err = atomicfile.Write(s.Checkpoint, data)
	}
	if err != nil {
		return fmt.Errorf("saving how far the inventory is: %w", err)
	}
	return nil
}

// discard removes the file of a survey that is finished: the next begins anew.
func (s *survey) discard() error {
	if s.Checkpoint == "" {
		return nil
	}
	if err := os.Remove(s.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the file of the finished inventory: %w", err)
	}
	return nil
}

// Left reports when the survey began that left a file, and how many projects and
// accounts it had read; ok is false where none can be gone on with.
func Left(file string, now time.Time) (began time.Time, read int, ok bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return began, 0, false
	}
	c, err := decode(data)
	if age := now.Sub(c.Snapshot.At); err != nil || age < 0 || age >= stale {
		return began, 0, false
	}
	return c.Snapshot.At, len(c.Projects) + len(c.Accounts), slices.Max([]int{len(c.Projects), len(c.Accounts)}) > 0
}
