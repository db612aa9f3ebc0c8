// Package audit is the function that looks for credential abuse. Each log entry,
// streamed by the sink or read by the scheduled sweep, goes the same way: decode
// it, have the detectors observe it (package detect), and publish what they
// found. A finding that could not be published is published later. What instances
// know they share in a [Store].
package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/posture"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Logs yields, as LogEntry JSON, the audit entries that Cloud Logging received
// from since until before until, and stops at the first error of yield.
type Logs interface {
	Entries(ctx context.Context, since, until time.Time, yield func([]byte) error) error
}

// Config is what the function works with.
type Config struct {
	Publisher door.Publisher   // of findings and dead letters; required
	Logs      Logs             // what a sweep reads; nil lets sweeps do nothing
	Secrets   Secrets          // whose journals tell which keys are managed; nil is nobody's
	Metrics   Metrics          // what no log holds, read by sweeps; nil is nothing
	Cloud     *gcp.Cloud       // what posture judges; nil has it do nothing
	Project   string           // whose posture is judged, and whose calls Metrics is asked for, besides those of the managed credentials
	Store     Store            // what instances share; nil has each remember for itself, until it ends
	Rotators  []string         // e-mails of the accounts that keyturn rotates as; none has nobody's keys be its own
	Subjects  int              // that are remembered at most; 0 is 200,000, which take some 50 MB
	Lookback  time.Duration    // how far back the first sweep of all reads; 0 is 2 hours
	Now       func() time.Time // policy time; nil is the machine's clock
	Wall      func() time.Time // time that passes between instances: leases, pauses; nil is the machine's clock
	Log       *slog.Logger     // nil discards
	Door      *door.HTTP       // that commands of people come through; nil lets nobody in

	// After calls a function, in a goroutine of its own, once time of Wall has
	// passed; nil is time.AfterFunc.
	After func(time.Duration, func())
}

// Function is the audit function. It is safe for concurrent use.
type Function struct {
	config    Config
	owner     string // of claims: this instance
	now, wall func() time.Time
	after     func(time.Duration, func())
	log       *slog.Logger
	topic     door.Topic
	memory    func() *memory // made when the first entry comes

	exchanging sync.Mutex            // while shards are exchanged
	shards     string                // seed of who is in which; "" before it is known; guarded by exchanging
	seed       maphash.Seed          // of learnt
	learnt     [detect.Shards]uint64 // hashes of the shards as they were learnt last; guarded by exchanging, and each used by one goroutine

	sweeping sync.Mutex
	swept    time.Time // up to which the last sweep here has read; guarded by sweeping
	measured time.Time // up to which calls were counted last; guarded by sweeping

	posturing sync.Mutex
	postured  posture.State // what the last report left, where there is no Store; guarded by posturing
}

// New returns a function that remembers no subject yet.
func New(c Config) *Function {
	f := &Function{config: c, owner: rand.Text(), seed: maphash.MakeSeed(), now: c.Now, wall: c.Wall, after: c.After, log: c.Log}
	if f.now == nil {
		f.now = time.Now
	}
	if f.wall == nil {
		f.wall = time.Now
	}
	if f.after == nil {
		f.after = func(d time.Duration, do func()) { time.AfterFunc(d, do) }
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.memory = sync.OnceValue(func() *memory { return newMemory(c.Subjects, c.Store != nil, f.wall) })
	f.topic = door.Topic{Function: "audit", Publisher: c.Publisher, Log: f.log}
	return f
}

// errNoEntry is of JSON that says of nothing in it that it is a log entry's.
var errNoEntry = errors.New("it has neither logName nor insertId nor an audit log's protoPayload: it is no log entry; point the log sink, and nothing else, at the topic")

// HandleEvent takes a Pub/Sub message: a log entry, or the command to sweep. A
// message that can never be read goes to the dead-letter topic and is
// acknowledged; an error makes Pub/Sub deliver again.
func (f *Function) HandleEvent(ctx context.Context, ce cloudevents.Event) error {
	m, err := event.DecodeMessage(ce)
	if err != nil {
		return f.topic.Bury(ctx, m, err)
	}
	if m.TopicID() == event.TopicAudit {
		return f.handleCommand(ctx, m)
	}
	e, err := event.DecodeLogEntry(m.Data)
	if err == nil && e.LogName == "" && e.InsertID == "" && !e.Audit {
		err = errNoEntry
	}
	if err != nil {
		return f.topic.Bury(ctx, m, err)
	}
	f.refresh(ctx)
	if err := f.learnIfWanted(ctx); err != nil {
		return f.topic.Redeliver(ctx, err)
	}
	err = f.observe(ctx, e)
	f.exchangeIfDue(ctx, detect.Denied(e))
	return f.topic.Redeliver(ctx, err)
}

// observe takes one entry in. When publishing fails, the entry delivered again,
// or whichever comes first, has it tried again.
func (f *Function) observe(ctx context.Context, e detect.Entry) error {
	return f.memory().observe(e, f.teller(ctx))
}

// logMissed says what detectors had to leave out. It comes with every sweep and
// exchange, and says nothing twice.
func (f *Function) logMissed(ctx context.Context) {
	if m, more := f.memory().missed(); more {
		f.log.ErrorContext(ctx, "detectors leave something out, and what they would find by it is missing: what could not wait for later entries because too much did, and subjects that could not be read back",
			"unasked", m.unasked, "unread", m.unread)
	}
}

func (f *Function) teller(ctx context.Context) teller {
	return func(p *pending) (bool, error) { return f.tell(ctx, p) }
}

func (f *Function) publish(ctx context.Context, found detect.Finding) error {
	out, err := event.FindingEvent(found)
	if err != nil {
		return err
	}
	if err := f.config.Publisher.Publish(ctx, out); err != nil {
		return fmt.Errorf("publishing finding %s: %w", found.ID, err)
	}
	f.log.WarnContext(ctx, "finding", "id", found.ID, "detector", found.Detector, "finding_severity", found.Severity, "reason", found.Reason)
	return nil
}

func (f *Function) handleCommand(ctx context.Context, m event.Message) error {
	command, err := commandOf(m)
	switch {
	case err != nil:
		return f.topic.Bury(ctx, m, err)
	case command == "posture":
		return f.topic.Redeliver(ctx, f.tellPosture(ctx))
	}
	return f.topic.Redeliver(ctx, f.sweep(ctx))
}

// commandOf accepts the two commands that come by topic, in either of their forms.
func commandOf(m event.Message) (string, error) {
	var c struct {
		Command string `json:"command"`
	}
	c.Command = m.Attributes["command"]
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &c); err != nil {
			return "", fmt.Errorf("message is no command: %w; send attribute command=sweep and no data", err)
		}
	}
	if c.Command != "sweep" && c.Command != "posture" {
		return "", fmt.Errorf("command %.40q does not come by topic: send sweep or posture, and scan or replay by HTTP", c.Command)
	}
	return c.Command, nil
}
