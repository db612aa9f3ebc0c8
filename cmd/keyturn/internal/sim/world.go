package sim

import (
	"context"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
)

const project = "acme"

// settings are what is special about one world.
type settings struct {
	seed        uint64
	keyLag      time.Duration // see localgcp.Config
	eventualLag time.Duration
	network     bool // see Config.Network
	credentials []plan
}

// world is one embedded Google Cloud with the rotate function on it, its
// triggers, the people who interfere, and the judge who watches. Everything
// that happens in it follows from its settings.
type world struct {
	settings
	chance    *rand.Rand
	clock     *clock.Clock
	gcp       *localgcp.Cloud
	cloud     *gcp.Cloud // the function's connection, through the wire
	transport *http.Transport
	inside    inProcess // the way past the network: people's, and the function's if it need not take it
	function  *rotate.Function
	judge     *judge
	trace     *trace

	credentials []*credential
	queue       []message // not delivered yet, or to be delivered again
	live        []*actor
	running     *actor    // the one that proceeds
	actors      int       // so far
	calls       int       // of actors, so far
	pairs       int       // RSA pairs used so far
	calmSince   time.Time // when the calm began; zero before
	crash       *crash    // of the matrix; nil in a simulation
}

// start is the policy time at which every world begins.
var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// newWorld makes a world whose credentials are registered and idle.
func newWorld(s settings) (*world, error) {
	w := &world{
		settings: s, chance: rand.New(rand.NewPCG(s.seed, 1)), clock: clock.NewFrozen(start),
		inside: inProcess{}, transport: &http.Transport{},
	}
	w.trace = &trace{now: w.clock.Now, start: start, names: map[string]string{}}
	w.judge = &judge{world: w, makers: map[string]maker{}}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	for _, p := range s.credentials {
		c, err := w.register(p)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("registering %s: %w", p.id, err), w.close())
		}
		w.credentials = append(w.credentials, c)
	}
	w.judge.look(cause{person: true})
	for _, c := range w.credentials {
		w.judge.adopt(c)
	}
	return w, nil
}

func (w *world) open() (err error) {
	w.gcp, err = localgcp.Start(localgcp.Config{
		Addr: "127.0.0.1:0", ProjectID: project, Clock: w.clock, KeyLag: w.keyLag, EventualLag: w.eventualLag,
		Random: rand.NewChaCha8(seedOf(w.seed)), Pair: w.pair,
	})
	if err != nil {
		return err
	}
	w.gcp.IAM.Register(w.inside)
	w.gcp.Secrets.Register(w.inside)
	w.gcp.APIKeys.Register(w.inside)
	w.gcp.PubSub.Register(w.inside)
	w.gcp.Monitoring.Register(w.inside)
	w.gcp.Logging.Register(w.inside)
	if w.cloud, err = gcp.New(gcp.Config{Project: project, Endpoint: w.gcp.Addr(), Wire: w.wire()}); err != nil {
		return err
	}
	w.function = w.newFunction()
	topics := pubsubpb.NewPublisherClient(w.inside)
	for _, id := range event.Topics {
		if _, err := topics.CreateTopic(context.Background(), &pubsubpb.Topic{Name: "projects/" + project + "/topics/" + id}); err != nil {
			return err
		}
	}
	return nil
}

func seedOf(n uint64) (seed [32]byte) {
	binary.LittleEndian.PutUint64(seed[:], n)
	return seed
}

// newFunction is what a new process has.
func (w *world) newFunction() *rotate.Function {
	return rotate.New(rotate.Config{
		Cloud: w.cloud, Now: w.clock.Now, Wall: w.clock.Now, Pair: w.pair,
		Log: slog.New(slog.NewJSONHandler(w.judge, nil)), TrustTopic: true,
	})
}

// pair is a pair that the world has not seen yet.
func (w *world) pair() (*rsa.PrivateKey, error) {
	w.pairs++
	return pairs.at(w.pairs - 1)
}

// close ends every actor and the cloud.
func (w *world) close() error {
	for len(w.live) > 0 {
		w.step(w.live[0], fault{kind: diesBefore})
	}
	w.transport.CloseIdleConnections()
	var problems []error
	if w.cloud != nil {
		problems = append(problems, w.cloud.Close())
	}
	if w.gcp != nil {
		problems = append(problems, w.gcp.Close())
	}
	return errors.Join(problems...)
}

// advance moves the clock. A process that works for longer than it may is killed.
func (w *world) advance(d time.Duration) {
	for left := d; left > 0 && w.judge.violation == nil; left -= stride {
		w.clock.Advance(min(left, stride))
		w.judge.look(cause{clock: true})
		w.consume()
	}
	w.trace.note("the clock has moved by %v", d)
	for _, a := range append([]*actor(nil), w.live...) {
		if a.until.Before(w.clock.Now()) {
			w.trace.note("%s has run out of time", a.name)
			w.step(a, fault{kind: diesBefore})
		}
	}
}

// stride is how far the clock moves at most before consumers go on.
const stride = 30 * time.Minute

// credentialOf is the credential that an actor works on.
func (w *world) credentialOf(a *actor) *credential {
	for _, c := range w.credentials {
		if c.secret == a.message.command.Secret {
			return c
		}
	}
	return &credential{} // of a sweep
}

// send puts a command into the queue.
func (w *world) send(c event.Command) { w.queue = append(w.queue, message{command: c}) }

// take removes the nth message from the queue.
func (w *world) take(n int) message {
	m := w.queue[n]
	w.queue = append(w.queue[:n:n], w.queue[n+1:]...)
	return m
}

// finishAll delivers every message that waits, without faults.
func (w *world) finishAll() { w.deliverAll(func(*actor) fault { return fault{} }) }

// deliverAll delivers every message that waits, one at a time. What asks for its
// message again is tried a few times.
func (w *world) deliverAll(mishap func(*actor) fault) {
	later := []message{}
	for len(w.queue) > 0 && w.judge.violation == nil {
		m := w.take(0)
		if m.attempt > maxAttempts {
			m.attempt = 1
			later = append(later, m)
			continue
		}
		for a := w.start(m); !a.done && w.judge.violation == nil; {
			w.step(a, mishap(a))
		}
	}
	w.queue = later
}

func (w *world) accounts() adminpb.IAMClient { return adminpb.NewIAMClient(w.inside) }
