package bench

import (
	"context"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// strategy is one way to rotate credentials.
type strategy interface {
	// tick does what is due by the policy clock, and returns when that is done.
	tick(ctx context.Context) error
	// close ends what the strategy runs.
	close() error
}

// contender is a strategy that takes part in the comparison.
type contender struct {
	name string
	like string // who else rotates that way
	take func(context.Context, *bed, []*credential) (strategy, error)
}

// contenders are all of them; keyturn comes first.
func contenders() []contender {
	return []contender{
		{"keyturn", "", newKeyturn},
		{"delete at once", "Google's sample, cloud-key-rotator, Vault rotate-root", newPeer(deleteAtOnce)},
		{"overlap, unverified", "Infisical", newPeer(deleteAtNext)},
		{"fixed-age cleaner", "kyma test-infra", newPeer(deleteByAge)},
	}
}

const (
	// period is from one rotation of a credential to the next, for all strategies.
	period = 4 * time.Hour
	// overlap is how long an old key is left alone, where a strategy does that.
	overlap = 90 * time.Minute
	// sweep is how often every strategy looks what is due.
	sweep = 10 * time.Minute
)

var policy = rotation.Policy{
	Period: rotation.Duration(period), Overlap: rotation.Duration(overlap), Quarantine: rotation.Duration(time.Hour),
}

// workers is how many function instances Pub/Sub may start at once.
const workers = 8

// keyturn is the rotate function, driven by its sweep as it is deployed.
type keyturn struct {
	bed       *bed
	cloud     *gcp.Cloud
	function  *rotate.Function
	instances *instances
}

func newKeyturn(ctx context.Context, b *bed, credentials []*credential) (strategy, error) {
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: b.cloud.Addr()})
	if err != nil {
		return nil, err
	}
	k := &keyturn{bed: b, cloud: cloud, function: rotate.New(rotate.Config{Cloud: cloud, Now: b.clock.Now, Pair: smallPair})}
	for _, c := range credentials {
		if err := adopt(ctx, k.function, c, policy); err != nil {
			return nil, err
		}
	}
	k.instances, err = b.serve(ctx, k.function, workers)
	return k, err
}

// tick publishes the sweep that Cloud Scheduler does, and waits until every
// message that it led to is handled.
func (k *keyturn) tick(ctx context.Context) error {
	if err := k.cloud.Publish(ctx, event.Command{Verb: event.Sweep}.Outgoing()); err != nil {
		return err
	}
	return k.instances.idle(ctx)
}

func (k *keyturn) close() error {
	k.instances.stop()
	return k.cloud.Close()
}
