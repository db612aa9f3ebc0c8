// Package channel makes the channels that an alerts file defines, each with its
// secrets, which are read when they are first needed and again once they may have
// been replaced.
package channel

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/egress"
	"example.com/keyturn/shared/notify"
	"golang.org/x/oauth2"
)

// Config is what all channels go by.
type Config struct {
	// Secret returns the payload of a version of a secret, by its full name; required.
	Secret func(ctx context.Context, version string) ([]byte, error)
	// Tokens are for Google's APIs, with the scope cloud-platform; nil is for no
	// channel of Security Command Center.
	Tokens oauth2.TokenSource
	Roots  *x509.CertPool    // that vouch for receivers of channels that have none of their own; nil is the machine's
	Hosts  egress.Hosts      // that may be connected to; nil is any
	From   notify.Deployment // that the messages are from
	Now    func() time.Time  // the machines' time; nil is the machine's clock
}

// Channel is one channel. It is safe for concurrent use.
type Channel struct {
	Config
	definition alertfile.Channel
	client     *notify.Client // shared with others of the same egress

	mu      sync.Mutex
	current *connection // nil while there is none
}

// adapter delivers to one kind of channel.
type adapter interface {
	Deliver(ctx context.Context, a alerting.Alert) error
}

// connection is an adapter that has its secrets.
type connection struct {
	adapter
	made    time.Time
	secrets int // how many
}

// life is how long a secret is gone by once it was read.
const life = time.Hour

// New returns the channels of some definitions, in their order. No secret is read yet.
func New(definitions []alertfile.Channel, c Config) []*Channel {
	if c.Now == nil {
		c.Now = time.Now
	}
	public := notify.NewClient(notify.Egress{Roots: c.Roots, Hosts: c.Hosts, Deployment: c.From})
	private := notify.NewClient(notify.Egress{Roots: c.Roots, Hosts: c.Hosts, Deployment: c.From, AllowPrivate: true})
	var channels []*Channel
	for _, d := range definitions {
		client := public
		switch {
		case d.Roots != nil:
			client = notify.NewClient(notify.Egress{Roots: d.Roots, Hosts: c.Hosts, Deployment: c.From, AllowPrivate: d.Private})
		case d.Private:
			client = private
		}
		channels = append(channels, &Channel{Config: c, definition: d, client: client})
	}
	return channels
}

// Name is the name that the file gives the channel.
func (c *Channel) Name() string { return c.definition.Name }

// Deliver sends an alert, once. What a channel refuses for good with secrets that
// were not read for this alert counts as refused for now: they may have been replaced.
func (c *Channel) Deliver(ctx context.Context, a alerting.Alert) error {
	conn, old, err := c.connect(ctx)
	if err != nil {
		return fmt.Errorf("alert %s is not sent: %w", a.ID, err)
	}
	err = conn.Deliver(ctx, a)
	failure := (*notify.Failure)(nil)
	if conn.secrets == 0 || !errors.As(err, &failure) || !failure.Permanent {
		return err
	}
	c.forget(conn)
	if old {
		return &notify.Failure{Err: fmt.Errorf("%w; its secrets are read again, as they may have been replaced", err), After: failure.After}
	}
	return err
}

// connect returns a connection, and whether it was there before.
func (c *Channel) connect(ctx context.Context) (conn *connection, old bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && c.Now().Sub(c.current.made) < life {
		return c.current, true, nil
	}
	s := &secrets{ctx: ctx, secret: c.Secret}
	a := c.adapter(s)
	if s.err != nil {
		return nil, false, s.err
	}
	c.current = &connection{adapter: a, made: c.Now(), secrets: s.read}
	return c.current, false, nil
}

// forget has the next alert make another connection, unless one did already.
func (c *Channel) forget(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == conn {
		c.current = nil
	}
}

// secrets reads what one connection needs. The first error stays.
type secrets struct {
	ctx    context.Context // of the call that it lives for
	secret func(ctx context.Context, version string) ([]byte, error)
	read   int
	err    error
}

// payload returns that of a version, without white space around it; nil for none.
func (s *secrets) payload(version alertfile.SecretVersion) []byte {
	if version == "" || s.err != nil {
		return nil
	}
	payload, err := s.secret(s.ctx, string(version))
	payload = bytes.TrimSpace(payload)
	switch {
	case err != nil:
		s.err = fmt.Errorf("reading a secret of the channel: %w", err)
	case len(payload) == 0:
		s.err = fmt.Errorf("%s is empty: add a version that is not", version)
	}
	s.read++
	return payload
}

func (s *secrets) text(version alertfile.SecretVersion) string { return string(s.payload(version)) }
