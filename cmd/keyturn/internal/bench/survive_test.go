package bench

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	kills     = 50
	survivors = 40 // credentials
	// slowness is how long each call to the cloud takes, so that a turn has a middle
	// to be killed in.
	slowness = 10 * time.Millisecond
	// longestLife is how long, after it has begun to work, the process lives at most.
	longestLife = 300 * time.Millisecond
	// longestWait is more than even a busy machine needs to deliver what is left.
	longestWait = 5 * time.Minute
)

// survival is the local world, its credentials and who uses them, while the
// process of the functions is killed.
type survival struct {
	*testing.T
	*bed
	world       *world.World
	random      *rand.Rand
	function    *rotate.Function // looks how the credentials stand, and adopts them
	cloud       *gcp.Cloud
	credentials []*credential
	working     atomic.Int64 // journals written so far
	hits        int          // kills that cut an event off
	freeze      func()       // ends the flow of policy time
	rounds      int
}

// TestKill9 kills the process of the functions 50 times, at random moments of
// their work. What was cut off is gone on with by Pub/Sub's redelivery alone, and
// by leases that end: there is no sweep until the killing is over. No key may be
// orphaned and no consumer fail, and every rotation must come to its end.
// KEYTURN_SEED replays the moments of an earlier run.
func TestKill9(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("it takes half a minute, and the process that it kills is built without the race detector")
	}
	s := newSurvival(t)
	all := s.newCrowd(s.credentials)
	for _, c := range all {
		c.keep, c.pace = 0, 4*usualPace
	}
	stop := all.run(t.Context())
	began := time.Now()
	s.flow()
	for n := range kills {
		s.strike()
		if n%10 == 9 {
			t.Logf("%d kills after %.1f s, in round %d", n+1, time.Since(began).Seconds(), s.rounds)
		}
	}
	s.settle()
	alone := s.promoted()
	s.freeze()
	s.sweepUntilPromoted()
	stop()
	s.judge(all.outcome(time.Since(began)))
	t.Logf("%d kills, %d of them in the middle of an event; %d of %d credentials promoted by redelivery alone, in %d rounds", kills, s.hits, alone, survivors, s.rounds)
}

func newSurvival(t *testing.T) *survival {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("KEYTURN_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("KEYTURN_SEED=%d", seed)
	s := &survival{T: t, random: rand.New(rand.NewPCG(seed, 0))}
	c := clock.NewFrozen(start)
	var err error
	s.world, err = world.Start(t.Context(), world.Config{
		Project: project, GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0", Clock: c, FunctionLogs: logs(t), Program: build(t),
		Timeout: 2 * time.Second, Attempts: 100,
		Retry: &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(500 * time.Millisecond), MaximumBackoff: durationpb.New(time.Second)},
	})
	s.must(err)
	t.Cleanup(func() { s.must(s.world.Close()) })
	s.bed, err = newBedOn(t.Context(), s.world.Cloud, c)
	s.must(err)
	t.Cleanup(func() { s.must(s.bed.Close()) })
	s.cloud, err = gcp.New(s.world.Connection())
	s.must(err)
	t.Cleanup(func() { s.must(s.cloud.Close()) })
	s.function = rotate.New(rotate.Config{Cloud: s.cloud, Now: c.Now})
	s.populate()
	return s
}

// logs is where the functions write, next to the test's own report.
func logs(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.ArtifactDir(), "functions.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// build makes keyturn's program, as it is deployed: without the race detector.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "keyturn")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "example.com/keyturn/cmd/keyturn").CombinedOutput(); err != nil {
		t.Fatalf("building keyturn: %v\n%s", err, out)
	}
	return program
}

func (s *survival) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// populate makes and adopts the credentials, and slows the cloud down.
func (s *survival) populate() {
	s.Helper()
	var err error
	s.credentials, err = s.newFleet(s.Context(), survivors)
	s.must(err)
	quick := policy
	quick.Propagation = rotation.Duration(time.Second) // Google is quick in this world
	for _, c := range s.credentials {
		s.must(adopt(s.Context(), s.function, c, quick))
	}
	s.world.Cloud.Faults.Set(func(method string, _ any) fault.Fault {
		switch path.Base(method) {
		case "UpdateSecret":
			s.working.Add(1)
		case "AccessSecretVersion":
			return fault.Fault{} // the consumers' most of the time
		}
		return fault.Fault{Delay: slowness}
	})
}

// flow lets policy time pass as fast as the machine's, until freeze. The first
// sweep is minutes away.
func (s *survival) flow() {
	const beat = 10 * time.Millisecond
	stop, stopped := make(chan struct{}), make(chan struct{})
	s.freeze = sync.OnceFunc(func() { close(stop); <-stopped })
	s.Cleanup(s.freeze)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(beat):
				s.clock.Advance(beat)
			}
		}
	}()
}

// strike waits until the functions are at work, and kills them some time later.
func (s *survival) strike() {
	s.Helper()
	for written := s.working.Load(); s.working.Load() == written; {
		if s.world.Cloud.Idle() {
			s.trigger()
		}
		s.pause(time.Millisecond)
	}
	s.pause(time.Duration(s.random.Int64N(int64(longestLife))))
	pid, waiting := s.world.Pid(), s.waiting()
	p, err := os.FindProcess(pid)
	s.must(err)
	s.must(p.Kill())
	if waiting > 0 {
		s.hits++
	}
	for s.world.Pid() == pid {
		s.pause(time.Millisecond)
	}
}

func (s *survival) pause(d time.Duration) {
	s.Helper()
	select {
	case <-s.Context().Done():
		s.Fatal(s.Context().Err())
	case <-time.After(d):
	}
}

// trigger asks for a rotation of every credential, once.
func (s *survival) trigger() {
	s.Helper()
	s.rounds++
	for _, r := range s.standings() {
		s.must(s.cloud.Publish(s.Context(), event.Command{Verb: event.Rotate, Secret: r.Secret, After: &r.Journal.Rotation}.Outgoing()))
	}
}

// waiting counts the commands that are not carried out yet.
func (s *survival) waiting() int {
	n := 0
	for _, waiting := range s.world.Cloud.PubSub.Outstanding(topicName(event.TopicRotate)) {
		n += waiting
	}
	return n
}

func (s *survival) standings() []rotate.Report {
	s.Helper()
	all, err := s.function.StatusAll(s.Context())
	s.must(err)
	for _, r := range all {
		if r.Journal == nil || r.Journal.Current == nil {
			s.Fatalf("%s cannot be read: %v", r.Secret, r.Broken)
		}
	}
	return all
}

// settle waits until nothing is delivered any more.
func (s *survival) settle() {
	s.Helper()
	for deadline := time.Now().Add(longestWait); !s.world.Cloud.Idle(); s.pause(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("after %v %d commands are not carried out", longestWait, s.waiting())
		}
	}
}

// promoted counts the credentials whose rotations have all come to their end.
func (s *survival) promoted() (n int) {
	s.Helper()
	first := map[string]string{}
	for _, c := range s.credentials {
		first[c.secret] = path.Base(c.first.name)
	}
	for _, r := range s.standings() {
		if r.Journal.Incoming == nil && path.Base(r.Journal.Current.ID) != first[r.Secret] {
			n++
		}
	}
	return n
}

// sweepUntilPromoted lets the schedule run again.
func (s *survival) sweepUntilPromoted() {
	s.Helper()
	for sweeps := 0; s.promoted() < survivors; sweeps++ {
		if sweeps == 30 {
			s.Fatalf("after %d sweeps only %d of %d credentials are promoted", sweeps, s.promoted(), survivors)
		}
		s.clock.Advance(sweep)
		s.settle()
	}
}

// judge holds what happened against what keyturn promises.
func (s *survival) judge(out StrategyOutcome) {
	s.Helper()
	s.Logf("%d requests, %d failed", out.Requests, out.Failed)
	if out.Failed > 0 || out.Requests < 1000 {
		s.Errorf("%d of %d requests failed: %s", out.Failed, out.Requests, strings.Join(out.Problems, "\n"))
	}
	s.clock.Advance(2 * keyLag) // lists may be stale
	known := map[string]bool{}
	for _, r := range s.standings() {
		known[path.Base(r.Journal.Current.ID)] = true
		for _, k := range r.Journal.Retiring {
			known[path.Base(k.ID)] = true
		}
	}
	keys, err := s.existing(s.Context(), s.credentials)
	s.must(err)
	for _, k := range keys {
		if !known[path.Base(k)] {
			s.Errorf("orphan: %s", k)
		}
	}
	if len(keys) < 2*survivors {
		s.Errorf("only %d keys exist", len(keys))
	}
}
