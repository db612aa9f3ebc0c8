// Package world runs keyturn whole on one machine: an embedded Google Cloud,
// the functions in a process of their own, and everything that a deployment
// would set up between them.
package world

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/internal/localgcp/wire"
	"example.com/keyturn/shared/deployment"
)

// Service is the name by which all functions log: one process serves them all.
const Service = "keyturn"

// Region is where the local world's jobs and functions are.
const Region = "us-central1"

// Config says what world to run.
type Config struct {
	Project       string
	GCPAddr       string                          // loopback host:port; port 0 picks a free one
	FunctionsAddr string                          // loopback host:port; port 0 picks a free one
	WebhookURL    string                          // where alerts are posted, too; empty posts nowhere
	Alerts        string                          // absolute path of alerts.yaml; empty is none
	Clock         *clock.Clock                    // policy time
	KeyLag        time.Duration                   // how long new keys take to propagate, in policy time
	Pair          func() (*rsa.PrivateKey, error) // makes the pairs of keys that Google makes; nil makes a new one each time
	FunctionLogs  io.Writer                       // what the functions print
	Program       string                          // keyturn's program, which serves the functions; empty is the one that runs
	Timeout       time.Duration                   // of the functions; zero is their own
	State         string                          // KEYTURN_STATE of the functions, such as a directory in which detectors keep what they know, over restarts; empty keeps it nowhere
	Firestore     string                          // host:port of the emulator that State may be kept in; empty is none
	// Retry and Attempts say how soon and how often an event is delivered again
	// that a function did not take, before it is a dead letter; nil and zero are
	// 100 ms to a minute, and 10 times.
	Retry    *pubsubpb.RetryPolicy
	Attempts int32
	// Bare leaves all but the cloud out: whoever wants functions sets the project up and
	// deploys them.
	Bare bool
	// Watcher is told what becomes of the messages of Pub/Sub; nil is nobody.
	Watcher pubsub.Watcher
}

// World is a running world.
type World struct {
	Cloud        *localgcp.Cloud
	FunctionsURL string
	Project      string
	functions    *keeper
	front        *wire.Server
	programs     string // directory of the functions that are deployed to it
	closing      sync.Once
	closed       error // what Close answers
}

// Start boots a world and returns once all of it answers.
func Start(ctx context.Context, c Config) (*World, error) {
	programs, err := os.MkdirTemp("", "keyturn-programs-")
	if err != nil {
		return nil, fmt.Errorf("making a place for functions that are deployed: %w", err)
	}
	c.FunctionLogs = instance.Locked(c.FunctionLogs)
	cloud, err := localgcp.Start(localgcp.Config{
		Addr: c.GCPAddr, ProjectID: c.Project, Clock: c.Clock, KeyLag: c.KeyLag, DataAccess: true, Watcher: c.Watcher, Pair: c.Pair,
		Programs: programs, Printed: c.FunctionLogs,
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(programs))
	}
	w := &World{Cloud: cloud, Project: c.Project, programs: programs}
	if c.Bare {
		return w, nil
	}
	if err := w.start(ctx, c); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) start(ctx context.Context, c Config) error {
	c.FunctionLogs = &instance.Log{Printed: c.FunctionLogs, Entries: w.Cloud.Logging, Project: c.Project, Labels: map[string]string{"location": Region, "service_name": Service}}
	functions, err := keepFunctions(ctx, c, w.Cloud.Addr())
	if err != nil {
		return err
	}
	w.functions = functions
	if w.front, err = wire.Listen(c.FunctionsAddr, newFront(functions.url, functions.ready, time.Minute)); err != nil {
		return fmt.Errorf("serving the functions: %w", err)
	}
	w.FunctionsURL = w.front.URL()
	if err := w.provision(ctx, c); err != nil {
		return fmt.Errorf("setting the local world up: %w", err)
	}
	return nil
}

// site is where the world's functions seem to be deployed.
func (w *World) site() deployment.Site { return siteOf(w.Project) }

// Close stops the functions, then the cloud. Closing again does nothing.
func (w *World) Close() error {
	w.closing.Do(func() { w.closed = w.close() })
	return w.closed
}

func (w *World) close() error {
	if w.functions != nil {
		w.functions.stop()
	}
	var err error
	if w.front != nil {
		err = w.front.Close()
	}
	return errors.Join(err, w.Cloud.Close(), os.RemoveAll(w.programs))
}
