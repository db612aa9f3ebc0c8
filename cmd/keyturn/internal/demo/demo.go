// Package demo runs keyturn's whole job once, with real consumers, on an
// accelerated clock: two rotations of every credential by schedule, an attack
// that is noticed, a stolen key that is revoked without anybody being asked, and an emergency revoke by hand. It holds keyturn to its
// promises and reports which held.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	iam "cloud.google.com/go/iam/admin/apiv1"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/gcp"
)

// Progress is told how far the demo has come.
type Progress interface {
	// Stage begins a part of the demo that has total units of work.
	Stage(name string, total int)
	// Advance says how many units are done by now.
	Advance(done int)
}

// Config is what the demo is told. Its zero value is not ready: Progress and
// Logs are needed.
type Config struct {
	Progress Progress
	Logs     io.Writer // gets what the functions print
}

// start is when the demo's policy clock starts. It stands still except where
// the demo moves it.
var start = time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)

// keyLag is how long the demo's Google takes to know a new key.
const keyLag = time.Minute

// stage is everything on the stage: the world, the credentials, the consumers
// and what was seen.
type stage struct {
	*world.World
	clock    *clock.Clock
	progress Progress
	cloud    *gcp.Cloud // for what the command line does, with the same code
	http     *http.Client

	secrets *secretmanager.Client
	iam     *iam.IamClient
	keys    *apikeys.Client
	dialed  []io.Closer

	credentials []credential
	consumers   []*consumer
	ledger      ledger
	canaries    canaries
	seen        sightings
	ticks       int64
	peak        float64 // MB
}

// URL is the embedded cloud's.
func (s *stage) URL() string { return s.Cloud.URL() }

// Run runs the demo. The error says that it could not be run, or which promises
// did not hold; the result is filled in as far as it came.
func Run(ctx context.Context, c Config) (Result, error) {
	began := time.Now()
	s := &stage{clock: clock.NewFrozen(start), progress: c.Progress, http: newHTTPClient()}
	err := s.play(ctx, io.MultiWriter(c.Logs, &s.canaries))
	result := s.reckon(time.Since(began))
	if err != nil {
		return result, err
	}
	return result, result.broken()
}

// newHTTPClient keeps a connection for each consumer, where net/http would keep
// two for all and dial again for the others.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return &http.Client{Transport: t, Timeout: 20 * time.Second}
}

// play is the demo, act by act.
func (s *stage) play(ctx context.Context, logs io.Writer) (err error) {
	s.progress.Stage("boot", 1)
	hook, err := s.receiveWebhooks()
	if err != nil {
		return err
	}
	defer hook.Close()
	alerts, forget, err := writeRules(hook.URL())
	if err != nil {
		return err
	}
	defer forget()
	s.World, err = world.Start(ctx, world.Config{
		Project: "demo", GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0", Alerts: alerts,
		Clock: s.clock, KeyLag: keyLag, FunctionLogs: logs,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	s.Cloud.Faults.Set(s.canaries.listen)
	if err := s.dial(ctx); err != nil {
		return err
	}
	stopWatching, err := s.watch(ctx)
	if err != nil {
		return err
	}
	defer stopWatching()
	return s.acts(ctx)
}

func (s *stage) acts(ctx context.Context) error {
	if err := s.makeCredentials(ctx); err != nil {
		return fmt.Errorf("making the credentials: %w", err)
	}
	s.clock.Advance(10 * time.Minute) // Google needs to know them before anybody uses them
	if err := s.adopt(ctx); err != nil {
		return fmt.Errorf("adopting the credentials: %w", err)
	}
	s.progress.Advance(1)
	stop := s.startConsumers(ctx)
	err := s.atWork(ctx)
	stop() // what they log must come to an end
	if err != nil {
		return err
	}
	if err := s.readLogs(ctx); err != nil {
		return fmt.Errorf("reading the logs: %w", err)
	}
	s.peak = peakMB(os.Getpid(), s.Pid())
	return nil
}

// atWork is what happens while the consumers work.
func (s *stage) atWork(ctx context.Context) error {
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"rotating by schedule", s.rotateTwice},
		{"closed loop", s.closeLoops},
		{"attack", s.attack},
		{"emergency revoke", s.revoke},
		{"counting keys", s.countOrphans},
	} {
		if err := act.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", act.name, err)
		}
	}
	return nil
}

func (s *stage) dial(ctx context.Context) (err error) {
	if s.secrets, err = secretmanager.NewClient(ctx, s.Options()...); err != nil {
		return err
	}
	s.dialed = append(s.dialed, s.secrets)
	if s.iam, err = iam.NewIamClient(ctx, s.Options()...); err != nil {
		return err
	}
	s.dialed = append(s.dialed, s.iam)
	if s.keys, err = apikeys.NewClient(ctx, s.Options()...); err != nil {
		return err
	}
	s.dialed = append(s.dialed, s.keys)
	if s.cloud, err = gcp.New(s.Connection()); err != nil {
		return err
	}
	s.dialed = append(s.dialed, s.cloud)
	return nil
}

// Close ends the clients, then the world.
func (s *stage) Close() error {
	var problems []error
	for _, c := range s.dialed {
		problems = append(problems, c.Close())
	}
	return errors.Join(append(problems, s.World.Close())...)
}
